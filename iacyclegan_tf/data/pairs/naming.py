"""Names: how they are compared and written, and of the official file names which photo, person and split they mean.

Sources: the distributions of CUFS (CUHK student, AR, XM2VTS), CUFSF and FERET; see ``docs/data.md``.
All functions take stems (see ``images.files.image_stem``) in any letter case.
"""

import re
import unicodedata

VALIDATION = "val"
SPLITS = ("train", VALIDATION, "dev", "test")


def normal_name(name: str) -> str:
    """The form in which names are compared everywhere: composed (NFC; macOS decomposes accents) and in lower case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


def file_name(name: str) -> str:
    """``name`` as a file's name: only what a file system or a manifest cannot take becomes ``_``.

    These are slashes of both kinds, control characters and a leading dot; letters and signs of all scripts stay.
    """
    kept = "".join("_" if one in "/\\" or unicodedata.category(one) == "Cc" else one for one in name)
    return "_" + kept[1:] if kept.startswith(".") else kept


def split_named(name: str) -> str | None:
    """Which of ``SPLITS`` a folder's or column's ``name`` means, in any letter case; None where it means none."""
    name = normal_name(name)
    name = VALIDATION if name in ("valid", "validation") else name
    return name if name in SPLITS else None


def photo_key(stem: str) -> str:
    """What a photo is paired by: its stem in normal form; for FERET names the five-digit subject."""
    stem = normal_name(stem)
    return stem[:5] if feret_key(stem) else stem


def sketch_key(stem: str) -> str:
    """The photo key that an official sketch name stands for; plain stems come back in normal form.

    ``F2-005-01-sz1`` -> ``f-005-01``, ``Mp-002-1-sz1`` -> ``m-002-1``, ``000_1_1_sz1`` -> ``000_1_1``.
    """
    stem = normal_name(stem)
    bare = re.sub(r"[-_]sz1$", "", stem)
    if bare == stem:
        return photo_key(stem)
    return re.sub(r"^(?:([fm])2|([mw])p)-", lambda m: (m.group(1) or m.group(2)) + "-", bare)


def identity_of(photo_stem: str) -> str:
    """The person: AR ``m-002-1`` -> ``m-002``, XM2VTS ``000_1_1`` -> ``000``, FERET -> five digits.

    Otherwise the photo's stem in normal form.
    """
    key = photo_key(photo_stem)
    match = re.fullmatch(r"([mw]-\d{3})-\d|(\d{3})_\d_\d", key)
    return next(filter(None, match.groups())) if match else key


def student_split(sketch_stem: str) -> str | None:
    """Official split of a CUHK student sketch, which its name holds; None for other names.

    The 88 training sketches carry F2-/M2- (any case), the 100 test sketches do not.
    """
    match = re.fullmatch(r"[fm](\d?)-\d{3}-\d{2}-sz1", sketch_stem.lower())
    return None if match is None else "train" if match.group(1) == "2" else "test"


def feret_key(stem: str) -> tuple[str, str, str] | None:
    """(subject, pose, date) of a FERET photo, gray or color name; None for other names.

    ``00001fb010_930831`` (gray) and ``00001_930831_fb`` (color) are the same photo.
    """
    gray = re.fullmatch(r"(\d{5})([a-z]{2})\d{3}[a-z]?_(\d{6})[a-z]?", stem.lower())
    color = re.fullmatch(r"(\d{5})_(\d{6})_([a-z]{2})(?:_[a-z])?", stem.lower())
    if gray:
        return gray.groups()
    return (color.group(1), color.group(3), color.group(2)) if color else None
