"""Whatever answers in the place of TensorFlow Serving: the client ends in one sentence, in time, without a result."""

import base64
import json
import socket
import struct
import threading
import time
import tracemalloc
import zlib

import numpy as np
import pytest
import tensorflow  # noqa: F401, loaded before memory and time are measured
from in_process import refused, run

from iacyclegan_tf.serving.client.answers import BrokenAnswer, checked


def png(width: int = 4, height: int = 3) -> bytes:
    """A black PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + 3 * width) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# ---------------------------------------------------------------- servers


@pytest.fixture
def rest():
    """Starts a server of one thread that reads a request and lets a function do the rest; returns its port."""
    stops = []

    def start(answer) -> int:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        received = b""
                        while b"\r\n\r\n" not in received:
                            received += connection.recv(65536)
                        answer(connection)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass
                    except OSError:
                        pass  # the client did not wait

        threading.Thread(target=serve, daemon=True).start()
        stops.append(listening)
        return listening.getsockname()[1]

    yield start
    for listening in stops:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@pytest.fixture
def face(tmp_path):
    (tmp_path / "face.png").write_bytes(png())
    return tmp_path / "face.png"


LIMIT_S = 0.5


def ask(port: int, face, what: str, *more: str):
    """One request of the kind ``what``; nothing may be written."""
    out = face.parent / "out"
    out.mkdir(exist_ok=True)
    words = {
        "translate": ["translate", face, "--no-align", "--to", "sketch", "--out", out],
        "embed": ["embed", face, "--no-align", "--of", "photo", "--out", out / "e.npz"],
        "status": ["status"],
    }[what]
    more = ("--server", f"127.0.0.1:{port}", "--retries", 0, "--timeout", LIMIT_S, *more)
    begun = time.monotonic()
    done = run("client", *words, *more)
    assert time.monotonic() - begun < LIMIT_S + 2.5, "the deadline did not hold"
    refused(done)
    assert len(done.stderr) < 1200 and all(one.isprintable() or one == "\n" for one in done.stderr)
    assert not out.exists() or not list(out.iterdir())
    return done


def reply(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def drip(connection, start: bytes, piece: bytes, pause: float = 0.05) -> None:
    connection.sendall(start)
    for _ in range(100):
        connection.sendall(piece)
        time.sleep(pause)


def flood(connection, start: bytes, piece: bytes, seconds: float = 5) -> None:
    """``piece`` without pause."""
    connection.sendall(start)
    end, many = time.monotonic() + seconds, piece * (2**16 // len(piece) + 1)
    while time.monotonic() < end:
        connection.sendall(many)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LATE = "gave no answer within"
SLOW_OR_ENDLESS = {
    "nothing at all": (lambda c: time.sleep(3), LATE),
    "status line byte by byte": (lambda c: drip(c, b"HTTP/1.1 2", b"0"), LATE),
    "a header byte by byte": (lambda c: drip(c, b"HTTP/1.1 200 OK\r\nX: ", b"x"), LATE),
    "a body byte by byte": (lambda c: drip(c, b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b" "), LATE),
    "chunks byte by byte": (lambda c: drip(c, CHUNKED, b"1\r\n \r\n"), LATE),
    "100 Continue without end": (lambda c: flood(c, b"", b"HTTP/1.1 100 Continue\r\n\r\n"), ""),
    "100 Continue, slowly": (lambda c: drip(c, b"", b"HTTP/1.1 100 Continue\r\n\r\n"), LATE),
    "headers without end": (lambda c: flood(c, b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), ""),
    "one header without end": (lambda c: flood(c, b"HTTP/1.1 200 OK\r\nX: ", b"y"), ""),
    "millions of tiny chunks": (lambda c: flood(c, CHUNKED, b"1\r\n \r\n"), ""),
    "trailers without end": (lambda c: flood(c, CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"), ""),
    "a chunk of length -1": (lambda c: flood(c, CHUNKED + b"-1\r\n", b"y"), ""),
    "a body over the limit": (lambda c: flood(c, b"HTTP/1.1 200 OK\r\n\r\n", b" "), "larger than --max-message-mb=1"),
    "a body that ends early": (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), "hung up"),
    "no word": (lambda c: None, "hung up"),
    "another protocol": (lambda c: c.sendall(b"SSH-2.0-OpenSSH_9\r\n"), "does not speak HTTP"),
}


@pytest.mark.parametrize("kind", SLOW_OR_ENDLESS)
def test_a_rest_answer_that_is_slow_or_endless(kind, rest, face):
    answer, words = SLOW_OR_ENDLESS[kind]
    tracemalloc.start()
    try:
        done = ask(rest(answer), face, "embed", "--max-message-mb", 1)
        assert tracemalloc.get_traced_memory()[1] < 60e6, "the bound on memory did not hold"
    finally:
        tracemalloc.stop()
    assert words in done.stderr


UNIT = [0.6, 0.8]
PICTURE = {"b64": base64.b64encode(png()).decode()}
WRONG = [
    ("embed", {"outputs": [[float("nan"), 1.0]]}),
    ("embed", {"outputs": [[float("inf"), 1.0]]}),
    ("embed", {"outputs": [[None, 1.0]]}),
    ("embed", {"outputs": [["0.6", "0.8"]]}),
    ("embed", {"outputs": [[True, False]]}),
    ("embed", {"outputs": [[1e300, 0.0]]}),
    ("embed", {"outputs": [[0.5, 0.5]]}),
    ("embed", {"outputs": [[0.0, 0.0]]}),
    ("embed", {"outputs": [[]]}),
    ("embed", {"outputs": []}),
    ("embed", {"outputs": [UNIT, UNIT]}),
    ("embed", {"outputs": [[UNIT]]}),
    ("embed", {"outputs": [UNIT, [1.0]]}),
    ("embed", {"outputs": {"other": [UNIT]}}),
    ("embed", {"outputs": None}),
    ("embed", {"outputs": "text"}),
    ("embed", {"outputs": 1.0}),
    ("embed", {}),
    ("embed", []),
    ("embed", "text"),
    ("translate", {"outputs": [{"b64": "###"}]}),
    ("translate", {"outputs": [{"b64": base64.b64encode(b"text").decode()}]}),
    ("translate", {"outputs": [{"b64": base64.b64encode(png()[:-6]).decode()}]}),
    ("translate", {"outputs": [{"b64": base64.b64encode(png(9, 9)).decode()}]}),
    ("translate", {"outputs": [{"b64": 7}]}),
    ("translate", {"outputs": [{"other": "text"}]}),
    ("translate", {"outputs": ["text"]}),
    ("translate", {"outputs": [PICTURE, PICTURE]}),
    ("translate", {"outputs": []}),
    ("translate", {"outputs": PICTURE}),
    ("embed", {"outputs": [0.5]}),
    ("status", {"model_version_status": 7}),
    ("status", {"model_version_status": [{"version": "x", "state": "AVAILABLE"}]}),
    ("status", {"model_version_status": [{"version": "1", "state": "\x1b[31m"}]}),
    ("status", {"model_version_status": [{"version": "1"}]}),
    ("status", {"model_version_status": [{"version": "1", "state": "END", "status": 7}]}),
    ("status", {}),
]


@pytest.mark.parametrize("what, answer", WRONG, ids=lambda value: json.dumps(value)[:60])
def test_a_rest_answer_with_wrong_values(what, answer, rest, face):
    ask(rest(lambda connection: connection.sendall(reply(json.dumps(answer).encode()))), face, what)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"<html>", b"[" * 200_000, b"[[" * 3_000_000, b"1" * 5000, b'{"error": {"a": [1]}}'],
    ids=["nothing", "no text", "html", "deep", "millions of values", "a huge number", "no text as error"],
)
@pytest.mark.parametrize("status", ["200 OK", "302 Found", "400 Bad Request", "500 Oh", "999 x"])
def test_a_rest_answer_that_is_no_json(body, status, rest, face):
    ask(rest(lambda connection: connection.sendall(reply(body, status))), face, "embed")


@pytest.mark.parametrize("status", [400, 404, 418, 429, 500, 503])
def test_what_a_server_says_is_printed_short_and_without_escapes(status, rest, face):
    body = json.dumps({"error": "\x1b[2J\x07" + "x\n" * 2_500_000}).encode()
    done = ask(rest(lambda connection: connection.sendall(reply(body, f"{status} x"))), face, "embed")
    assert "\\x1b[2J" in done.stderr and done.stderr.count("\n") <= 2


# ---------------------------------------------------------------- the door


def test_good_answers_pass():
    assert checked("embedding", [UNIT, [1, 0]], 2).dtype == np.float32
    assert checked("image_bytes", [png()], 1) == [png()]
    with pytest.raises(BrokenAnswer, match="length 1"):
        checked("embedding", [[1.0, 0.06]], 1)
