"""TODO DOCSTRING."""

from __future__ import annotations

from dataclasses import dataclass

WHOLE, CYCLEGAN = "iacyclegan", "cyclegan"


@dataclass(frozen=True)
class Preset:
    """``settings`` are overrides; ``{perception_weight}`` is what ``auto`` came to in the whole method's round 1."""

    what: str
    settings: tuple[str, ...] = ()


PRESETS = {
    WHOLE: Preset("the whole method"),
    CYCLEGAN: Preset("without the identity perception loss", ("rounds.perception=false",)),
    "frozen": Preset("recognizers frozen at their first state", ("rounds.finetune=false",)),
    "no_adversarial": Preset("without the adversarial loss", ("loss.adversarial_weight=0",)),
    # "auto" is a share of the weighted cycle term, which is 0 here
    "no_cycle": Preset("without the cycle loss", ("loss.cycle_weight=0", "loss.perception_weight={perception_weight}")),
    "no_identity_mapping": Preset("without the identity mapping loss", ("loss.identity_mapping_weight=0",)),
}


# What the project adds to the paper, each taken away: another run than the whole method's only where the base settings have it.
ADDITIONS = {
    "no_averaging": Preset("without the moving average of the generators", ("generator.ema=0",)),
    "no_sharpening": Preset("outputs not sharpened", ("generator.sharpness=0",)),
    "enlarged": Preset("images enlarged and cropped at random, as CycleGAN does", ("data.enlarge=1.117",)),
    "transpose": Preset(
        "transposed convolutions in the generators, as in CycleGAN", ("generator.upsampling=transpose",)
    ),
}
