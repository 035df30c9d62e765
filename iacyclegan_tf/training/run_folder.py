"""The folder of a run: its settings, what is done, and where each thing lies.

runs/<name>/config.yaml            the resolved settings, written before work starts
runs/<name>/data.json              pairs per split and the split's SHA-256
runs/<name>/history.jsonl          one line per log window
runs/<name>/tensorboard/<phase>/   event files
runs/<name>/recognizer_0/          Φ0
runs/<name>/round_<n>/             networks/, photo_recognizer/, sketch_recognizer/, metrics.json, calibration.json,
                                   grid.png
runs/<name>/checkpoints/<phase>/   states of the phase that is under way
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from iacyclegan_tf.common.atomic_files import remove_abandoned, write_text
from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.json_files import read_object
from iacyclegan_tf.config.reading import dump_config, load_config
from iacyclegan_tf.config.settings import FREE, Config, as_dict, flat

_OTHER = "Give this run another name with name=..., or remove the folder."


class RunFolder:
    """Opens ``runs/<name>``, new or begun; ``resumed`` says which. Raises ``UserError`` if it holds another run.

    It belongs to this process until the process ends, however that is; ``UserError`` in any other that opens it.
    """

    def __init__(self, config: Config):
        self.path = Path(config.runs_dir) / config.name
        self.savedmodels = Path(config.savedmodels_dir) / config.name
        saved = self.path / "config.yaml"
        try:
            if self.path.is_dir() and not saved.exists() and any(path.name[0] != "." for path in self.path.iterdir()):
                raise UserError(f"{self.path} holds other files and no run; give this run another name with name=...")
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path / ".lock", self.path)
            self.resumed = saved.exists()
            for folder in (self.path, self.savedmodels):
                remove_abandoned(folder)
            if not self.resumed:
                write_text(saved, dump_config(config))
            probe = self.path / ".writable"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"The run folder {self.path} cannot be written: {error.strerror or error}. "
                "Give another with runs_dir=FOLDER."
            ) from None
        if self.resumed:
            self._same_settings(config, load_config(saved))

    def _same_settings(self, config: Config, saved: Config) -> None:
        before, now = flat(as_dict(saved)), flat(as_dict(config))
        changed = [
            f"{key}: {before.get(key)!r} -> {now.get(key)!r}"
            for key in now
            if not key.startswith(FREE)
            and before.get(key) != now.get(key)
            and not (key == "rounds.count" and now[key] > before[key])
        ]  # no round depends on how many follow
        if changed:
            raise UserError(
                f"{self.path} holds a run with other settings ({'; '.join(changed[:4])}"
                f"{' ...' if len(changed) > 4 else ''}). {_OTHER}"
            )
        if config.rounds.count > saved.rounds.count:
            more = replace(saved, rounds=replace(saved.rounds, count=config.rounds.count))
            write_text(self.path / "config.yaml", dump_config(more))

    def keep_data(self, data: dict) -> None:
        """Writes ``data.json`` once; ``UserError`` with both if the run was begun on other data."""
        path = self.path / "data.json"
        if not path.exists():
            self.write_json(path, data)
            return
        before = read_object(path)
        if before != data:
            raise UserError(
                f"{self.path} was begun on other data ({_told(before)}; now {_told(data)}). Put the files back as they "
                f"were. {_OTHER}"
            )

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    def round(self, number: int) -> Path:
        return self.path / f"round_{number}"

    def checkpoints(self, phase: str) -> Path:
        return self.path / "checkpoints" / phase

    def tensorboard(self, phase: str) -> Path:
        return self.path / "tensorboard" / phase

    def write_json(self, path: Path, values: dict) -> None:
        write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def _told(data: dict) -> str:
    """For a sentence; also of a file that somebody has changed."""
    return f"{', '.join(map(str, data.get('counts', ['no counts'])))}, split {str(data.get('split_sha256'))[:12]}"


def _locked(path: Path, folder: Path) -> TextIO:
    """The open lock file, which says who has it. A POSIX lock: no child has it, and it ends with its process."""
    file = open(path, "a+", encoding="utf-8")  # noqa: SIM115, it stays open as long as the folder is used
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise  # a file system without locks
        file.seek(0)
        raise UserError(
            f"The run folder {folder} is in use by another process ({file.read(200).strip() or 'just started'}). "
            "Two would overwrite each other's work: wait for it, stop it, or give this run another name."
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}\n")
    file.flush()
    return file
