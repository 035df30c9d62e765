"""The shape of VGG-Face: 13 convolutions 3x3 in five blocks, then fc6, fc7 and fc8.

Source: Parkhi, Vedaldi, Zisserman, "Deep Face Recognition", BMVC 2015, table 3 (network D of VGG-16).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from iacyclegan_tf.common.errors import UserError


class Layer(NamedTuple):
    """One layer written as a convolution: fc6 is one of 7x7, fc7 and fc8 of 1x1."""

    name: str
    kernel: tuple[int, int, int, int]  # height, width, input channels, output channels

    @property
    def is_top(self) -> bool:
        return self.name.startswith("fc")

    @property
    def outputs(self) -> int:
        return self.kernel[3]

    @property
    def canonical_kernel(self) -> tuple[int, ...]:
        """That of a top layer is a matrix (inputs, outputs) whose input is flattened H, W, C."""
        return (math.prod(self.kernel[:3]), self.outputs) if self.is_top else self.kernel


@dataclass(frozen=True)
class VGGArchitecture:
    """Widths of a VGG-Face network; the defaults are those of the published one."""

    conv_widths: tuple[tuple[int, ...], ...] = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
    fully_connected: tuple[int, int] = (4096, 4096)
    classes: int = 2622
    grid: int = 7  # side of the last pooled map: 224 / 2**5

    def layers(self, has_top: bool = True) -> list[Layer]:
        """All layers with weights, in network order."""
        layers, inputs = [], 3
        for block, widths in enumerate(self.conv_widths, start=1):
            for position, width in enumerate(widths, start=1):
                layers.append(Layer(f"conv{block}_{position}", (3, 3, inputs, width)))
                inputs = width
        fc6, fc7 = self.fully_connected
        top = [
            Layer("fc6", (self.grid, self.grid, inputs, fc6)),
            Layer("fc7", (1, 1, fc6, fc7)),
            Layer("fc8", (1, 1, fc7, self.classes)),
        ]
        return layers + top if has_top else layers

    def canonical_shapes(self, has_top: bool = True) -> dict[str, tuple[int, ...]]:
        """Shape of every canonical array by name, in network order."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers(has_top):
            shapes |= {f"{layer.name}/kernel": layer.canonical_kernel, f"{layer.name}/bias": (layer.outputs,)}
        return shapes


GENUINE = VGGArchitecture()


def expected_layers(path, names: list[str], architecture: VGGArchitecture) -> list[Layer]:
    """The layers that a file with weights under ``names`` must hold, with or without the top.

    Raises:
        UserError: a layer is missing, or the file holds weights of a layer that VGG-Face does not have.
    """
    layers = architecture.layers(has_top=not {"fc6", "fc7", "fc8"}.isdisjoint(names))
    wanted = [layer.name for layer in layers]
    missing = [name for name in wanted if name not in names]
    extra = sorted(set(names) - set(wanted))
    if missing:
        raise UserError(f"{path} is not a whole VGG-Face file: it has no weights for {missing[0]!r}.")
    if extra:
        raise UserError(f"{path} is not VGG-Face: it also holds weights for {extra[0][:40]!r}.")
    if len(names) != len(wanted):
        raise UserError(f"{path} is not VGG-Face: it holds weights of the same layer twice.")
    return layers


def require_shape(path, what: str, found: tuple[int, ...], *allowed: tuple[int, ...]) -> None:
    """Raises UserError unless ``found`` is one of the ``allowed`` shapes, all in the file's axis order."""
    if tuple(found) not in allowed:
        raise UserError(
            f"{path} does not have the architecture of VGG-Face: the {what} has shape {tuple(found)}; "
            f"expected is {' or '.join(str(shape) for shape in allowed)}."
        )
