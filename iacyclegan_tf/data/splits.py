"""Which pair is for training and which for testing: names, files of names, and a hash to print.

For AR, XM2VTS and CUFSF several public member lists of the same sizes exist and disagree. A split is
therefore a file of names, never only a seed, and ``split_hash`` is printed beside every result.

The file of names is YAML, split by split::

    train: [m-001, m-002, w-001]
    test:
      - m-003
      - w-002

A name is an identity or the name of a photo or sketch, with or without suffix, in any letter case.
All scalars are read as text: plain YAML would turn ``000_1_1`` into the number 11.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from iacyclegan_tf.errors import UserError

SPLITS = ("train", "dev", "test")
MAX_SPLIT_FILE_BYTES = 16 * 1024 * 1024


def student_split(sketch_stem: str) -> str | None:
    """Official split of a CUHK student sketch, which its name holds; None for other names.

    The 88 training sketches carry F2-/M2- (any case), the 100 test sketches do not.
    """
    match = re.fullmatch(r"[fm](\d?)-\d{3}-\d{2}-sz1", sketch_stem.lower())
    return None if match is None else "train" if match.group(1) == "2" else "test"


def read_split_file(path: str | Path) -> dict[str, str]:
    """Read a file of names: lower-case name (suffix removed by the caller's keys) -> split.

    Raises:
        UserError: unreadable, not a mapping of ``train``/``dev``/``test`` to lists of names, or a name
            listed in two splits.
    """
    content = _load_text_yaml(Path(path))
    if not isinstance(content, dict) or not content:
        raise UserError(f"Split file '{path}' must map train, dev or test to lists of names.")
    splits: dict[str, str] = {}
    for split, names in content.items():
        if split not in SPLITS:
            raise UserError(f"Split file '{path}' names the split '{split}'; allowed are {', '.join(SPLITS)}.")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"Split file '{path}' must give a list of names for '{split}'.")
        for name in map(str.lower, names):
            if splits.setdefault(name, split) != split:
                raise UserError(f"Split file '{path}' lists '{name}' in '{splits[name]}' and in '{split}'.")
    return splits


def _load_text_yaml(path: Path) -> object:
    import yaml

    try:
        if path.stat().st_size > MAX_SPLIT_FILE_BYTES:
            raise UserError(f"Split file '{path}' is larger than {MAX_SPLIT_FILE_BYTES} bytes.")
        # BaseLoader builds text, lists and mappings only: no objects, no numbers.
        return yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except OSError as error:
        raise UserError(f"Split file '{path}' cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"Split file '{path}' is not valid YAML: {str(error).splitlines()[0]}.") from error


def split_hash(pairs: Iterable) -> str:
    """SHA-256 (hex) over the sorted lines ``split identity photo-name sketch-name`` of the pairs.

    Names only, no folders and no contents: the hash is the same wherever the data lie.
    """
    lines = sorted(f"{p.split} {p.identity} {p.photo.name} {p.sketch.name}" for p in pairs)
    return hashlib.sha256("".join(line + "\n" for line in lines).encode("utf-8")).hexdigest()
