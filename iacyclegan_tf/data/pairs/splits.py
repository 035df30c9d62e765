"""Which pair is for training, validation and testing: a file of names.

For AR, XM2VTS and CUFSF several public member lists of the same sizes exist and disagree. A split is
therefore a file of names, never only a seed, and ``split_hash`` is printed beside every result.

The file of names is YAML, split by split::

    train: [m-001, m-002, w-001]
    test:
      - m-003
      - w-002

A name is an identity or the name of a photo or sketch, with or without suffix, in any letter case. Splits are
``train``, ``val`` (also called ``valid`` or ``validation``), ``dev`` and ``test``, in any letter case.
All scalars are read as text: plain YAML would turn ``000_1_1`` into the number 9.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from iacyclegan_tf.common.errors import UserError, shortened
from iacyclegan_tf.config.strict_yaml import parse_yaml
from iacyclegan_tf.data.images.files import image_stem, read_text
from iacyclegan_tf.data.pairs.naming import SPLITS, identity_of, normal_name, split_named
from iacyclegan_tf.data.pairs.pair import Pair, Pairing

MAX_SPLIT_FILE_BYTES = 2 * 1024 * 1024  # 40,000 long names; parsing takes 7 seconds a megabyte


def read_split_file(path: str | Path) -> dict[str, str]:
    """Read a file of names: stem in normal form -> split.

    Raises:
        UserError: unreadable, not a mapping of splits to lists of names, or a name listed in two splits.
    """
    text = read_text(Path(path), MAX_SPLIT_FILE_BYTES)
    try:
        content = parse_yaml(text, only_text=True)
    except ValueError as error:
        raise UserError(f"Split file '{path}' is not valid YAML: {error}.") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"Split file '{path}' must map train, val, dev or test to lists of names.")
    splits: dict[str, str] = {}
    for key, names in content.items():
        split = split_named(str(key))
        if split is None:
            raise UserError(
                f"Split file '{path}' names the split '{shortened(str(key), 200)}'; allowed are {', '.join(SPLITS)}."
            )
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"Split file '{path}' must give a list of names for '{key}'.")
        for name in names:
            stem = normal_name(image_stem(name))
            if splits.setdefault(stem, split) != split:
                raise UserError(
                    f"Split file '{path}' lists '{shortened(name, 200)}' in '{splits[stem]}' and in '{split}'."
                )
    return splits


def assign_splits(pairing: Pairing, wanted: Mapping[str, str]) -> Pairing:
    """Give each pair the split under which it is named; pairs that are not become ``unlisted``.

    Raises:
        UserError: the names of one pair stand in two splits.
    """
    pairs, unlisted = [], []
    for pair in pairing.pairs:
        splits = {wanted[name] for name in pair_names(pair) if name in wanted}
        if len(splits) > 1:
            raise UserError(f"The split file puts photo '{pair.photo.name}' in {' and '.join(sorted(splits))}.")
        (pairs if splits else unlisted).append(replace(pair, split=splits.pop()) if splits else pair)
    return replace(pairing, pairs=tuple(pairs), unlisted=pairing.unlisted + tuple(unlisted))


def check_all_known(pairing: Pairing, wanted: Mapping[str, str], split_file: str | Path) -> None:
    """Raise UserError if a name fits no file at all; names of files that were left out are known."""
    left_out = (*pairing.orphan_photos, *pairing.orphan_sketches, *sum(pairing.duplicates, ()))
    known = _names(*left_out).union(*map(pair_names, pairing.pairs))
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise UserError(
            f"Split file '{split_file}' lists {len(unknown)} unknown name(s): "
            f"{shortened(', '.join(unknown[:5]))}{', ...' if len(unknown) > 5 else ''}."
        )


def pair_names(pair: Pair) -> set[str]:
    """Every name under which a split file may list a pair, in normal form."""
    return _names(pair.photo, pair.sketch) | {normal_name(pair.identity)}


def _names(*files: Path) -> set[str]:
    stems = [normal_name(image_stem(file)) for file in files]
    return {*stems, *(identity_of(stem) for stem in stems)}
