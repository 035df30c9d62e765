"""The settings whose training step is timed, and what one process of the benchmark is told; it loads no framework."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True)
class Setting:
    """Networks and images of one step; ``recognizer`` is (width, input size, layers, normalization) or None."""

    name: str
    what: str
    filters: int
    blocks: int
    height: int
    width: int
    recognizer: tuple[float, int, tuple[str, ...], str] | None
    layers: int = 3
    batch: int = 1
    upsampling: str = "transpose"

    def at(self, side: int | None, batch: int) -> Setting:
        """The same networks on images of ``side`` × ``side``; with ``full`` VGG-16 sees them at that size."""
        if side is None:
            return replace(self, batch=batch)
        seen = self.recognizer and (
            self.recognizer[0],
            side if self.name == "full" else self.recognizer[1],
            *self.recognizer[2:],
        )
        return replace(self, height=side, width=side, batch=batch, recognizer=seen)

    def label(self) -> str:
        return f"{self.name}, {self.height}×{self.width}, batch {self.batch}"


_QUICKSTART_LAYERS = ("pool1", "pool2", "pool3")
_FULL = "the whole method: 64 filters, 9 blocks, VGG-16 features (pool5) at the images' size"
_PLAIN = "CycleGAN: 32 filters, 6 blocks, no perception loss"
_STUDENT, _QUICKSTART = "configs/cufs_student_128.yaml", "configs/quickstart.yaml"
SETTINGS = {
    "full": Setting("full", _FULL, 64, 9, 128, 128, (1.0, 128, ("pool5",), "none")),
    "plain": Setting("plain", _PLAIN, 32, 6, 128, 128, None),
    "student": Setting("student", _STUDENT, 32, 6, 128, 128, (0.25, 96, ("pool2",), "batch"), upsampling="resize"),
    "quickstart": Setting(
        "quickstart", _QUICKSTART, 16, 4, 80, 64, (0.125, 64, _QUICKSTART_LAYERS, "batch"), 2, upsampling="resize"
    ),
}


@dataclass(frozen=True)
class Contender:
    """One process: a framework with a precision, and how it is set up."""

    framework: str  # "ours", "cyclegan" (ours without recognizers), "floor" or "torch"
    precision: str  # float32, bfloat16, float16
    threads: int = 0  # ours and the floor: threads inside an operation (train.intra_op_threads)
    channels_last: bool = False  # torch
    recompute: bool = False  # ours

    def label(self) -> str:
        added = ["channels last"] * self.channels_last + ["recomputing"] * self.recompute
        return " ".join([self.framework, self.precision, *added])


def to_json(setting: Setting, contender: Contender) -> dict:
    return {"setting": asdict(setting), "contender": asdict(contender)}


def from_json(told: dict) -> tuple[Setting, Contender]:
    recognizer = told["setting"]["recognizer"]
    if recognizer is not None:
        told["setting"]["recognizer"] = (*recognizer[:2], tuple(recognizer[2]), recognizer[3])
    return Setting(**told["setting"]), Contender(**told["contender"])
