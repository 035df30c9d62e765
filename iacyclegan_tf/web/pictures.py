"""Pictures from a browser: bounded before they are decoded, and named by their own name alone in what is answered."""

from __future__ import annotations

import re

import cv2
import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import decode_image
from iacyclegan_tf.data.images.headers import HeaderError, read_header

MAX_BYTES = 16 * 2**20
MAX_PIXELS = 2**24  # 4096 x 4096, as in the served graph (serving/decoding.py)
_LONGEST_NAME, _LONGEST_SUFFIX = 60, 10  # characters
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # turn text around
_GAP = 8  # pixels of white between two pictures


class WrongPicture(UserError):
    """A picture that cannot be used. The message may be shown to whoever sent it: no path, no trace."""


def decode(data: bytes, name: str) -> np.ndarray:
    """An uploaded file as uint8 ``[h, w, 3]`` RGB, upright; ``WrongPicture``: the reason in one sentence.

    Files packed with gzip or bzip2, which ``decode_image`` would unpack, are refused like everything else that is no
    image.
    """
    name = plain_name(name)
    try:
        header = read_header(data) if data else None
        if header and header.width * header.height > MAX_PIXELS:
            size = f"{header.width}x{header.height} pixels; at most {MAX_PIXELS} are taken"
            raise WrongPicture(f"'{name}' has {size}. Make it smaller, or cut out the face.")
        return decode_image(data, name)
    except HeaderError as error:
        raise WrongPicture(f"'{name}' cannot be used: {error}.") from None
    except UserError as error:
        raise WrongPicture(str(error)) from None


def plain_name(name: str, ending: str = "") -> str:
    """A file's own name, without folders of whatever system and without characters that cannot be shown; never empty.

    A long name is cut before its suffix.

    Args:
        ending: takes the place of the suffix, e.g. ``.sketch.png``.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(one for one in last if one.isprintable() and one not in _DIRECTIONS)
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix) > _LONGEST_SUFFIX:
        stem, suffix = kept, ""
    ending = ending or (f".{suffix}" if suffix.strip() else "")
    return (stem if stem.strip(". ") else "picture")[: _LONGEST_NAME - len(ending)] + ending


def png(image: np.ndarray) -> bytes:
    """uint8 ``[h, w, 3]`` RGB -> PNG."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def thumbnail(image: np.ndarray, height: int = 200) -> bytes:
    """uint8 ``[h, w, 3]`` RGB -> JPEG of at most that height; smaller images keep their size."""
    scale = min(1.0, height / image.shape[0])
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), height
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def side_by_side(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two images of one size beside each other, with a strip of white between."""
    return np.concatenate([left, np.full((left.shape[0], _GAP, 3), 255, np.uint8), right], axis=1)
