"""Training, a server with a client, the page with visitors, and evaluations side by side for MINUTES: memory, open
files and threads must stay flat.

    python long_run.py FOLDER MINUTES [--unbroken FOLDER]

Every two seconds the processes' resident memory, file descriptors and threads are read from /proc.
The first quarter is warm-up; the last quarter must not exceed the second by more than ALLOWED. ``samples.csv`` holds
all.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import tiny

ALLOWED = {"rss_mb": (1.05, 20.0), "fds": (1.0, 2.0), "threads": (1.0, 2.0)}  # times the second quarter, plus
SAMPLE_SECONDS = 2.0


def usage(pid: int) -> dict[str, float]:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"]),
    }


def serve_and_ask(exports: Path, folder: Path) -> None:
    """A twin of TensorFlow Serving and its clients, until SIGTERM; one line with the number of requests at the end."""
    import cv2
    from model_server import RestTwin, load

    from iacyclegan_tf.client import parse, run
    from iacyclegan_tf.data.drawn.faces import draw_pair
    from iacyclegan_tf.serving.signatures import SERVABLES

    going, asked = [True], 0
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    face = folder / "face.png"
    cv2.imwrite(str(face), draw_pair(0, 0, seed=1, height=50, width=40)[0])
    models = load({name: max((exports / name).iterdir(), key=lambda path: path.name) for name in SERVABLES}, version=2)
    models.labels = {"stable": 2}
    twin = RestTwin(models)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, as long as the process lives
    while going:
        for words in (
            ["translate", face, "--to", "sketch", "--out", folder],
            ["embed", face, "--of", "photo", "--out", folder / "e.npz"],
            ["status"],
        ):
            run(parse([*map(str, words), "--server", f"127.0.0.1:{twin.port}", "--timeout", "120"]))
            asked += 1
        models.requests.clear()  # the twin's own memory of what it was asked
    twin.stop()
    print(asked, file=sys.__stdout__, flush=True)


def page_and_visitors() -> None:
    """The page on models that are known, and one session after the other, until SIGTERM; each second visitor leaves
    before the answer. One line with the number of sessions at the end."""
    sys.path.insert(0, str(Path(__file__).parent / "web"))
    import made_up_page

    from iacyclegan_tf.web.folder import page_folder

    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    with page_folder() as folder:
        _, app = made_up_page.build(folder)
        with made_up_page.served(app) as port:
            asking = made_up_page.Asking(port)
            picture = asking.picture()
            while going:
                app.app._recent.clear()  # no visitor is too frequent
                wanted = [{"image": picture, "caption": None}], made_up_page.WHOLE, 10
                if asking.join(*wanted, function=made_up_page.SEARCH).status_code == 200 and asking.number % 2:
                    asking.answer()
                os.utime(picture["path"])  # not swept
    print(asking.number, flush=True)


def judge(rows: list[dict]) -> dict[str, str]:
    """For each process and measure its maximum in the second and in the last quarter; raises where it grew."""
    found = {}
    for who in ("training", "serving", "page"):
        own = [row for row in rows if row["process"] == who]
        quarter = len(own) // 4
        assert quarter >= 3, f"too few samples of {who}"
        for measure, (times, plus) in ALLOWED.items():
            early, late = (max(row[measure] for row in part) for part in (own[quarter : 2 * quarter], own[-quarter:]))
            found[f"{who} {measure}"] = f"{early:.0f} -> {late:.0f}"
            assert late <= times * early + plus, f"{who}: {measure} grew from {early:.0f} to {late:.0f}"
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--unbroken", type=Path)
    options = parser.parse_args()
    base, unbroken = options.folder, options.unbroken or options.folder / "unbroken"
    base.mkdir(parents=True, exist_ok=True)
    if not unbroken.exists():
        result = tiny.train(unbroken, timeout=3600)
        assert result.returncode == 0, result.stdout + result.stderr
    training = subprocess.Popen(
        tiny.command(
            base / "long",
            "train.epochs=1000000",
            "train.checkpoint_steps=200",
            "train.log_steps=50",
            "rounds.snapshot_epochs=100",
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    serving = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(unbroken / "savedmodels/tiny"), str(base)],
        stdout=subprocess.PIPE,
        text=True,
    )
    page = subprocess.Popen([sys.executable, __file__, "--page"], stdout=subprocess.PIPE, text=True)
    processes = {"training": training, "serving": serving, "page": page}
    began = base / "long/runs/tiny/checkpoints/round_1/synthesis"
    while not began.exists():  # the long phase has begun
        assert all(process.poll() is None for process in processes.values()), "a process ended early"
        time.sleep(1)
    rows, evaluations, evaluating, end = [], 0, None, time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        for who, process in processes.items():
            assert process.poll() is None, f"{who} ended: {process.stderr.read() if process.stderr else ''}"
            rows.append({"time": round(time.time()), "process": who, **usage(process.pid)})
        if evaluating is None or evaluating.poll() is not None:
            assert evaluating is None or evaluating.returncode == 0, "an evaluation failed"
            evaluations += evaluating is not None
            evaluating = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "iacyclegan_tf.evaluate",
                    str(unbroken / "runs/tiny"),
                    "--savedmodels",
                    str(unbroken / "savedmodels"),
                ],
                stdout=subprocess.DEVNULL,
            )
        time.sleep(SAMPLE_SECONDS)
    for process in (training, serving, evaluating, page):
        process.send_signal(signal.SIGTERM)
    codes = [process.wait(300) for process in (training, serving, evaluating, page)]
    with open(base / "samples.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    steps = json.loads(max(began.glob("0*/extra.json")).read_text())["step"]
    assert codes[0] == 143 and codes[1] == 0 and codes[2] in (0, 143) and codes[3] == 0, codes
    print(
        json.dumps(
            {
                "minutes": options.minutes,
                "training steps": steps,
                "requests": int(serving.stdout.read()),
                "sessions of the page": int(page.stdout.read()),
                "evaluations": evaluations,
                **judge(rows),
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve_and_ask(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["--page"]:
        page_and_visitors()
    else:
        main()
