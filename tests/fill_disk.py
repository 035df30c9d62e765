"""Trains on disks that are too small, makes them larger, and goes on: the end must be that of an unbroken run.

    unshare -rm python fill_disk.py FOLDER UNBROKEN PERCENT [PERCENT ...]

Mounts a tmpfs of each PERCENT of what the unbroken run takes, in the mount namespace that ``unshare`` made. The command
must end with code 2 and one sentence; then the tmpfs is given room and the same command must finish.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import tiny
from same_run import assert_same_run


def size_of(folder: Path) -> int:
    """In bytes, in pages of 4 KiB as a tmpfs counts."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def main(folder: Path, unbroken: Path, percents: list[int]) -> None:
    whole, compared, sentences = size_of(unbroken), 0, []
    folder.mkdir(parents=True, exist_ok=True)
    for percent in percents:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={whole * percent // 100}", "none", folder], check=True)
        full = tiny.train(folder, timeout=3600)
        said = tiny.without_tensorflows(full.stderr)
        assert full.returncode == 2 and "Traceback" not in full.stderr, f"{percent} %: {full.returncode} {full.stderr}"
        assert said[-1].startswith("error: ") and "No space left on device" in said[-1], said
        sentences.append(f"{percent} %: {said[-1]}")
        print(sentences[-1], flush=True)
        subprocess.run(["mount", "-o", f"remount,size={whole * 4}", folder], check=True)
        went_on = tiny.train(folder, timeout=3600)
        assert went_on.returncode == 0, went_on.stdout + went_on.stderr
        compared += assert_same_run(unbroken, folder)
        subprocess.run(["umount", folder], check=True)
    print(
        json.dumps(
            {"disks filled": len(percents), "percents": percents, "bytes compared": compared, "bytes that differ": 0}
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(percent) for percent in sys.argv[3:]])
