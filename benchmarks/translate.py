"""Speed of translation: one generator's forward pass, without files (those: python -m iacyclegan_tf.translate).

Run from the repository root: python -m benchmarks.translate [FILTERS BLOCKS]   (default: 64 9)
"""

import sys

from benchmarks.inference import measure


def main() -> None:
    filters, blocks = (int(word) for word in sys.argv[1:3] or (64, 9))
    from iacyclegan_tf.models.generator import Generator

    def build(precision: str, side: int):
        import tensorflow as tf

        generator = Generator(filters, blocks, "resize", seed=0, dtype=precision)
        generator(tf.zeros([1, side, side, 3]))
        return generator

    print(f"A generator of {filters} filters and {blocks} blocks, ", end="")
    measure(build, (64, 128, 256), (1, 4))


if __name__ == "__main__":
    main()
