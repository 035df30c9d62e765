"""Identity-Aware CycleGAN: face photo-sketch synthesis and recognition, trained in mutual rounds."""

import os

__version__ = "0.1.0"

# TensorFlow 2.15 greets each start with lines at error level that mean nothing on any machine; they would bury our own.
# Set the variable yourself, or import tensorflow first, to see them.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The names for users, each with its module; imported when first asked for, so that commands answer --help at once.
_PUBLIC = {"load": "inference.load", "Trained": "inference.trained", "Gallery": "search.gallery"}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
