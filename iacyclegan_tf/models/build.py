"""Builds a run's networks from its settings. Equal seeds give equal networks."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.models.discriminator import Discriminator, smallest_side
from iacyclegan_tf.models.dlib_resnet import DlibRecognizer
from iacyclegan_tf.models.dlib_resnet import trunk_shapes as dlib_shapes
from iacyclegan_tf.models.dlib_weights import is_dlib_file
from iacyclegan_tf.models.embedding import EmbeddingNetwork
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.vggface import Recognizer
from iacyclegan_tf.models.vggface import trunk_shapes as vgg_shapes


@dataclass(frozen=True)
class SynthesisNetworks:
    photo_to_sketch: Generator
    sketch_to_photo: Generator
    photo_discriminator: Discriminator
    sketch_discriminator: Discriminator

    def all(self) -> list[keras.Model]:
        return [self.photo_to_sketch, self.sketch_to_photo, self.photo_discriminator, self.sketch_discriminator]

    def checkpoint(self) -> tf.train.Checkpoint:
        """What a round leaves behind: the discriminators too, since the next round may go on with them."""
        return tf.train.Checkpoint(**{network.name: network for network in self.all()})


def build_synthesis(
    config: Config, image_shape: tuple[int, int, int], seed: int, dtype: str = "float32"
) -> SynthesisNetworks:
    """Both generators and both discriminators with their variables made; ``UserError`` where images are too small."""
    g, d = config.generator, config.discriminator
    needed = smallest_side(d.layers)
    if min(image_shape[:2]) < needed:
        raise UserError(
            f"Images are {image_shape[1]}×{image_shape[0]} pixels, but discriminator.layers={d.layers} "
            f"needs at least {needed} on each side; use fewer layers or a larger data.height and data.width."
        )
    # interpolated twice, sketches would have no strokes as fine as a pixel (docs/results.md)
    to_sketch = ("bilinear", "resize") if g.upsampling == "bilinear" else g.upsampling
    networks = SynthesisNetworks(
        *(
            Generator(
                g.filters,
                g.blocks,
                kind,
                seed=_seed(seed, i),
                recompute=config.train.recompute,
                sharpening=g.sharpness > 0,
                dtype=dtype,
                name=name,
            )
            for i, name, kind in ((1, "photo_to_sketch", to_sketch), (2, "sketch_to_photo", g.upsampling))
        ),
        Discriminator(d.filters, d.layers, seed=_seed(seed, 3), dtype=dtype, name="photo_discriminator"),
        Discriminator(d.filters, d.layers, seed=_seed(seed, 4), dtype=dtype, name="sketch_discriminator"),
    )
    for network in networks.all():
        network(tf.zeros([1, *image_shape]))
    return networks


def build_recognizer(config: Config, name: str, dtype: str = "float32") -> EmbeddingNetwork:
    """Φ with its variables made, as ``recognizer.network`` says; its first weights follow from the run's seed."""
    r = config.recognizer
    shared = {"adapter": r.adapter, "seed": _seed(config.seed, 5), "dtype": dtype, "name": name}
    kind = NETWORKS[r.network]
    centres = KINDS * len(kind.crops) if r.centred else 0
    own = (r.width, r.input_size, r.embedding, r.normalization) if kind is Recognizer else (r.embedding,)
    recognizer = kind(*own, centres=centres, **shared)
    recognizer.build()
    return recognizer


def recognizer_shapes(config: Config) -> tuple[list[tuple[int, int]], int]:
    """(side, channels) of every convolution's output in Φ, and its number of parameters, before it is built."""
    r = config.recognizer
    return dlib_shapes() if r.network == "dlib" else vgg_shapes(r.width, r.input_size)


def load_first_weights(recognizer: EmbeddingNetwork, config: Config) -> dict[str, str]:
    """Φ0 begins with ``recognizer.weights``, else dlib's installed ones or those it was built with.

    Returns which it loaded; ``UserError`` for what is not this network's.
    """
    path, network = config.recognizer.weights, config.recognizer.network
    if not path and network != "dlib":
        return {}
    if network != "dlib" and is_dlib_file(path):
        raise UserError(f"{path} holds dlib's network; set recognizer.network=dlib, or give weights of VGG-Face.")
    recognizer.load_file(path)
    return {"weights": path or "dlib's, of the installed package face-recognition-models"}


def learns_from_pairs(config: Config) -> bool:
    """Whether Φ0 is pre-trained on the pairs: without weights, and where an adapter stands on weights without one."""
    r = config.recognizer
    if r.weights or r.network == "dlib":
        return r.adapter
    return True


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies all variables into ``target`` by assignment, so that nothing traced with it has to be traced again."""
    for a, b in zip(source.variables, target.variables, strict=True):
        b.assign(a)


def _seed(seed: int, which: int) -> int:
    """Far enough apart that no two networks share a layer's seed."""
    return (seed * 10 + which) * 10_000


KINDS = 2  # of images that one recognizer sees: photos and sketches, or real and synthesized ones
NETWORKS = {kind.NETWORK: kind for kind in (Recognizer, DlibRecognizer)}
