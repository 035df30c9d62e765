"""Drawn faces to begin with: pictures to click in each tab, and a gallery where none was given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iacyclegan_tf.data.drawn.faces import draw_pair
from iacyclegan_tf.data.drawn.samples import SCENE_SEED
from iacyclegan_tf.data.drawn.scene import draw_scene
from iacyclegan_tf.web.pictures import png

_SEED = 20_000  # of people whom no training draws
_HEIGHT, _WIDTH = 250, 200
_GALLERY = 12  # people


@dataclass(frozen=True)
class Examples:
    """``pictures``: path, and what is made of it (``sketch`` or ``photo``). ``sketches``: paths, of people in the drawn
    gallery."""

    pictures: list[tuple[str, str]]
    sketches: list[tuple[str]]


def draw_examples(folder: Path) -> Examples:
    """New files in ``folder``."""
    folder.mkdir()
    paths = {}
    for person in range(3):
        photo, sketch = _pair(person, 1)
        for name, image in (("photo", photo), ("sketch", sketch)):
            path = folder / f"drawn {name} {person + 1}.png"
            path.write_bytes(png(image))
            paths[name, person] = str(path)
    scene = folder / "drawn scene.png"
    scene.write_bytes(
        png(draw_scene(1, seed=SCENE_SEED, share=0.4, degrees=8, ground="color", height=600, width=800)[0])
    )
    pictures = [(paths["photo", 0], "sketch"), (str(scene), "sketch"), (paths["sketch", 2], "photo")]
    return Examples(pictures, [(paths["sketch", person],) for person in range(3)])


def draw_gallery(folder: Path) -> Path:
    """Photos of people, those of the examples among them, in new files in ``folder``."""
    folder.mkdir()
    for person in range(_GALLERY):
        (folder / f"drawn person {person + 1:02}.png").write_bytes(png(_pair(person, 0)[0]))
    return folder


def _pair(person: int, rendering: int):
    return draw_pair(person, rendering, seed=_SEED, height=_HEIGHT, width=_WIDTH)
