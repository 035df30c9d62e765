"""Iris centers on discs whose places are known, from starts that are off."""

import cv2
import numpy as np
import pytest

from iacyclegan_tf.data.alignment.irises import _BIAS, find_irises


@pytest.mark.parametrize("scale", [0.3, 1.0, 6.0])
@pytest.mark.parametrize("off", [(0, 0), (5, -4), (-6, 3)])
def test_dark_discs_are_found_at_any_size(scale, off):
    """Up to 8 % of the eyes' distance away; the start may be off by the same shift for both eyes."""
    eyes = np.array([[150.3, 140.8], [249.1, 152.2]])
    picture = np.full((300, 400, 3), 190, np.uint8)
    for eye in eyes:
        cv2.circle(picture, tuple(np.rint(eye * 16).astype(int)), 11 * 16, (60, 50, 40), -1, cv2.LINE_AA, 4)
    shown = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    true = (eyes + 0.5) * scale - 0.5
    distance = np.hypot(*(true[1] - true[0]))
    found = find_irises(shown, true + np.array(off) * distance / 100)
    assert np.abs(found + _BIAS * distance - true).max() < 0.015 * distance
