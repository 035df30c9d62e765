"""Kills pushes at random moments and looks at what they leave. Run by ``test_pusher.py``; imports no TensorFlow.

    python kill_pushes.py FOLDER KILLS

Each push is a forked child that is killed by SIGKILL after a random part of the time that a push takes. Then every
child of the polled folders whose name is an integer must be complete: all files of its export, with their content.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from iacyclegan_tf.config.settings import ExportConfig
from iacyclegan_tf.serving.publishing.pusher import fingerprint, push
from iacyclegan_tf.serving.signatures import SERVABLES

FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
SETTINGS = ExportConfig(keep=2)


def make(folder: Path, number: int) -> dict[str, Path]:
    for servable in SERVABLES[:2]:
        for name in FILES:
            path = folder / str(number) / servable / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number} {servable} {name} " * 50)
    return {servable: folder / str(number) / servable for servable in SERVABLES[:2]}


def look(base: Path) -> str:
    """Raises where a version is not whole; returns what kind of moment the kill hit."""
    aside = set()
    for servable in SERVABLES[:2]:
        for path in (base / servable).iterdir() if (base / servable).exists() else ():
            if not path.name.isdigit():
                aside.add(path.suffix)
                continue
            found = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
            assert found == sorted([*FILES, "assets.extra/pushed.json"]), f"{path} holds {found}"
            number = (path / FILES[0]).read_text().split()[0]
            for name in FILES:
                assert (path / name).read_text() == f"{number} {servable} {name} " * 50, path / name
    newest = {
        servable: max([int(path.name) for path in (base / servable).iterdir() if path.name.isdigit()], default=0)
        for servable in SERVABLES[:2]
        if (base / servable).exists()
    }
    config = (base / "models.config").read_text() if (base / "models.config").exists() else ""
    assert not config or config.endswith("}\n"), "models.config is cut"
    told = all(f'key: "stable" value: {version} ' in config for version in newest.values())
    return f"{sorted(aside)} {len(set(newest.values()))} {told}"


def start(target: dict[str, Path], base: Path) -> int:
    child = os.fork()
    if not child:
        push(target, base, SETTINGS, "kill test")
        os._exit(0)
    return child


def main(folder: Path, kills: int) -> None:
    base, random_moments = folder / "serving", random.Random(0)
    durations = []
    for number in range(5):  # how long a push takes here
        begun = time.perf_counter()
        os.waitpid(start(make(folder, number), base), 0)
        durations.append(time.perf_counter() - begun)
    usual, killed, number, kinds = sorted(durations)[2], 0, 5, set()
    target = make(folder, number)
    while killed < kills:
        child = start(target, base)
        time.sleep(random_moments.uniform(0, usual))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kinds.add(look(base))
        if os.WIFSIGNALED(status):
            killed += 1
        if not os.WIFSIGNALED(status) or killed % 3 == 0:  # some pushes are taken up again, some are given up
            number += 1
            target = make(folder, number)
    version = push(target, base, SETTINGS, "the last, undisturbed")
    look(base)
    assert (
        fingerprint(target[SERVABLES[0]])
        == json.loads((base / SERVABLES[0] / str(version) / "assets.extra/pushed.json").read_text())["sha256"]
    )
    print(json.dumps({"killed": killed, "pushes": number + 1, "kinds": len(kinds), "usual_ms": round(usual * 1000, 1)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
