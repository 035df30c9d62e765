"""Builds a run's networks from its settings. Equal seeds give equal networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.settings import Config
from iacyclegan_tf.models.discriminator import Discriminator, smallest_side
from iacyclegan_tf.models.generator import Generator
from iacyclegan_tf.models.recognizer import Recognizer


@dataclass(frozen=True)
class SynthesisNetworks:
    photo_to_sketch: Generator
    sketch_to_photo: Generator
    photo_discriminator: Discriminator
    sketch_discriminator: Discriminator

    def all(self) -> list[tf.keras.Model]:
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
    networks = SynthesisNetworks(
        *(
            Generator(
                g.filters,
                g.blocks,
                g.upsampling,
                seed=_seed(seed, i),
                recompute=config.train.recompute,
                sharpening=g.sharpness > 0,
                dtype=dtype,
                name=name,
            )
            for i, name in ((1, "photo_to_sketch"), (2, "sketch_to_photo"))
        ),
        Discriminator(d.filters, d.layers, seed=_seed(seed, 3), dtype=dtype, name="photo_discriminator"),
        Discriminator(d.filters, d.layers, seed=_seed(seed, 4), dtype=dtype, name="sketch_discriminator"),
    )
    for network in networks.all():
        network(tf.zeros([1, *image_shape]))
    return networks


def build_recognizer(config: Config, name: str, dtype: str = "float32") -> Recognizer:
    """Φ with its variables made; its first weights follow from the run's seed."""
    r = config.recognizer
    recognizer = Recognizer(
        r.width,
        r.input_size,
        r.embedding,
        r.normalization,
        COUNT if r.centred else 0,
        r.nuisance,
        seed=_seed(config.seed, 5),
        dtype=dtype,
        name=name,
    )
    recognizer.build()
    return recognizer


def load_weights(recognizer: Recognizer, path: str) -> None:
    """VGG-Face's weights in any of their formats, or a recognizer of one's own; told apart by content.

    ``path`` may begin with ``~``. Raises ``UserError`` where it is neither, or does not fit ``recognizer``.
    """
    from iacyclegan_tf.models.recognizer_file import is_recognizer_file, load_recognizer
    from iacyclegan_tf.models.vggface_weights import read_vggface_weights

    try:
        path = Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"recognizer.weights={path} names a home folder that is not known; give it whole.") from None
    if is_recognizer_file(path):
        load_recognizer(recognizer, path)
    else:
        recognizer.load_vggface(read_vggface_weights(path))


def copy_weights(source: tf.keras.Model, target: tf.keras.Model) -> None:
    """By assignment, so that nothing that was traced with ``target`` has to be traced again."""
    for a, b in zip(source.variables, target.variables, strict=True):
        b.assign(a)


def _seed(seed: int, which: int) -> int:
    """Far enough apart that no two networks share a layer's seed."""
    return (seed * 10 + which) * 10_000


CROPS = (
    1.0,
    0.6,
)  # shares of the side: the whole crop, and about the face alone (columns 40-160 and rows 70-220 of 200x250)


KINDS = 2  # of images that one recognizer sees: photos and sketches, or real and synthesised ones


COUNT = KINDS * len(CROPS)
