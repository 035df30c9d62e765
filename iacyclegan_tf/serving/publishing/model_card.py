"""``assets.extra/model_card.json``: what each export is made of, how good it is, and what it must not be used for.

``docs/model_card.md`` says the same in prose.
"""

from __future__ import annotations

from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.serving.signatures import (
    PHOTO_RECOGNIZER,
    PHOTO_TO_SKETCH,
    SKETCH_RECOGNIZER,
    SKETCH_TO_PHOTO,
    is_recognizer,
    signatures,
)

FILE = "model_card.json"
DRAWN = "faces drawn by this program, of people who do not exist"
PAPER = "Fang, Deng, Du, Hu: Identity-Aware CycleGAN, Pattern Recognition 102 (2020), arXiv 2103.16019"
_MAKES = {
    PHOTO_TO_SKETCH: "a sketch from a face photo",
    SKETCH_TO_PHOTO: "a face photo from a sketch",
    PHOTO_RECOGNIZER: "embeddings of face photos, compared by cosine",
    SKETCH_RECOGNIZER: "embeddings of face sketches, compared by cosine",
}
LIMITS = (
    "Trained and measured on frontal faces of the data set named here; other poses, ages, skin tones, drawing styles "
    "and image sizes were not measured.",
    "Synthesized images are guesses: details that the input does not show are invented.",
)
DANGER = (
    "Scores rank candidates; they are no evidence of identity. In a large gallery the best match of a person who is "
    "not in it is always somebody else, and false matches grow with the gallery. A person must decide, with other "
    "evidence. Do not use it to identify, accuse or track people."
)


def model_card(servable: str, config: Config, data: dict, metrics: dict) -> dict:
    """The card of one servable.

    Args:
        data: the run's ``data.json``: ``counts`` of pairs and ``split_sha256``.
        metrics: the round's ``metrics.json``.
    """
    drawn = config.data.source == "drawn"
    side = "photo" if servable.startswith("photo") else "sketch"
    measures = (
        {"retrieval": metrics["retrieval"][side], "fusion": metrics["retrieval"]["fusion"]}
        if is_recognizer(servable)
        else {**metrics[servable], "trivial_baselines": metrics["trivial_baselines"][servable]}
    )
    return {
        "servable": servable,
        "run": config.name,
        "round": metrics["round"],
        "method": PAPER,
        "purpose": f"research on photo-sketch synthesis and recognition; makes {_MAKES[servable]}",
        "signatures": {name: {"inputs": s.inputs, "outputs": s.outputs} for name, s in signatures(servable).items()},
        "data": {
            "source": DRAWN
            if drawn
            else "photo-sketch pairs of real people, from the folder that the run's data.root named",
            **data,
        },
        "measures": measures,
        "protocol": metrics["protocol"],
        "limits": list(LIMITS),
        "licence_of_weights": _license(config, drawn),
        "danger_of_false_matches": DANGER,
    }


def _license(config: Config, drawn: bool) -> str:
    if config.recognizer.weights:
        return (
            "The recognizers start from the file that recognizer.weights named, and the generators were trained under "
            "their eye. If it is VGG-Face, that is licensed for non-commercial research, and so are weights made from "
            "it. The data set has terms of its own."
        )
    if config.recognizer.network == "dlib":
        return (
            "The recognizers start from dlib's face recognition network (in the public domain, the package that brings "
            "it is CC0 1.0; its author trained it on FaceScrub, the VGG face data set and photos from the internet). "
            "The data sets that it was trained on after that have terms of their own."
        )
    if drawn:
        return "Apache-2.0: trained from nothing on faces that this program drew."
    return (
        "Trained from nothing on the data set named here, whose terms (mostly non-commercial research) bind what "
        "is made from it."
    )
