"""Speed of embedding faces: one recognizer's forward pass, without files.

Run from the repository root: python -m benchmarks.embed [WIDTH [LAYER]]   (default: 1.0 pool5; 1.0 is VGG-Face's width)
The side of the images is the recognizer's own input size.
"""

import sys

from benchmarks.inference import measure


def main() -> None:
    width = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    layer = sys.argv[2] if len(sys.argv) > 2 else "pool5"
    from iacyclegan_tf.models.recognizer import Recognizer

    def build(precision: str, side: int):
        recognizer = Recognizer(width, side, layer, seed=0, dtype=precision)
        recognizer.build()
        return recognizer

    print(f"A recognizer of width {width:g} to {layer}, ", end="")
    measure(build, (64, 128, 224), (1, 4))


if __name__ == "__main__":
    main()
