"""What an earlier call of ``prepare`` left in OUT, so that only its shards are still to be written."""

import json
import os
from pathlib import Path

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.data.images.files import read_bytes
from iacyclegan_tf.data.pairs.pair import Pairing
from iacyclegan_tf.data.pairs.pairing import find_pairs
from iacyclegan_tf.data.preparing.preparation import REPORT_NAME, Request


def is_prepared(request: Request) -> bool:
    """Whether OUT holds what this very request left there, so that only its shards may be missing.

    An own folder of pairs counts as prepared where it is SOURCE and OUT at once.

    Raises:
        UserError: SOURCE is OUT and something is asked for that only a preparation does.
    """
    out = Path(os.path.abspath(request.out))
    if request.layout == "pairs" and out == Path(os.path.abspath(request.source)):
        if request.eyes or request.skip_bad or request.force:
            raise UserError(
                f"SOURCE and OUT are both '{out}', so that only shards are written; --eyes, --skip-bad and --force "
                "have no meaning then."
            )
        return True
    if request.force or not (out / REPORT_NAME).is_file():
        return False
    try:
        earlier = json.loads(read_bytes(out / REPORT_NAME).decode("utf-8"))
    except ValueError as error:
        raise UserError(f"'{out / REPORT_NAME}' is damaged: {error}. --force prepares OUT anew.") from None
    return isinstance(earlier, dict) and earlier.get("request") == request.asked()


def prepared_pairs(request: Request) -> Pairing:
    """The pairs in OUT, once it is prepared."""
    if Path(os.path.abspath(request.source)) == Path(os.path.abspath(request.out)):
        return find_pairs(request.out, split=request.split, split_file=request.split_file)
    return find_pairs(request.out)
