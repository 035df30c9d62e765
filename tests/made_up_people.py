"""Folders of people with several photos each, made of smooth random patterns: one per person, with noise per photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def photo(person: int, number: int, height: int = 36, width: int = 30, noise: float = 12.0) -> np.ndarray:
    """uint8 gray ``[height, width]``."""
    pattern = cv2.resize(
        np.random.default_rng(person).uniform(30, 220, (6, 5)), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(pattern + np.random.default_rng((person, number)).normal(0, noise, pattern.shape), 0, 255).astype(
        np.uint8
    )


def write_people(root: Path, people: int = 6, photos: int = 4, suffix: str = ".pgm", **shape) -> Path:
    """``root/s1/1.pgm`` and so on, as AT&T's faces are named."""
    for person in range(1, people + 1):
        (root / f"s{person}").mkdir(parents=True)
        for number in range(1, photos + 1):
            assert cv2.imwrite(str(root / f"s{person}" / f"{number}{suffix}"), photo(person, number, **shape))
    return root
