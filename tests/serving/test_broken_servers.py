"""Whatever answers in the place of TensorFlow Serving: the client ends in one sentence, in time, without a result."""

import base64
import json
import socket
import struct
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from in_process import refused, run
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.answers import BrokenAnswer, checked
from iacyclegan_tf.serving.client.connecting import connected, proxy_for


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


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer):
    """Answers every request as ``answer(context)`` says."""

    def __init__(self, answer):
        self.answer = answer

    def Predict(self, request, context):
        return self.answer(context)

    GetModelStatus = Predict


@pytest.fixture
def grpc_server():
    servers = []

    def start(answer) -> int:
        servers.append(grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_send_message_length", -1)]))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(answer), servers[-1])
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(Servicer(answer), servers[-1])
        port = servers[-1].add_insecure_port("127.0.0.1:0")
        servers[-1].start()
        return port

    yield start
    for server in servers:
        server.stop(0)


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
        "match": ["match", "--no-align", "--probes", face, "--gallery", face, "--of", "photo", "--out", out / "s.csv"],
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
    ("match", {"outputs": [[float("nan"), 1.0]]}),
    ("match", {"outputs": [0.5]}),
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


# ---------------------------------------------------------------- gRPC


def predicted(name: str, proto: TensorProto) -> predict_pb2.PredictResponse:
    answer = predict_pb2.PredictResponse()
    answer.outputs[name].CopyFrom(proto)
    return answer


def tensor(dtype: int, shape: list[int], **values) -> TensorProto:
    made = TensorProto(dtype=dtype, **values)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


def floats(shape: list[int], *values: float) -> TensorProto:
    return tensor(1, shape, tensor_content=np.array(values, "<f4").tobytes())


def strings(shape: list[int], *values: bytes) -> TensorProto:
    return tensor(7, shape, string_val=values)


WRONG_TENSORS = {
    "60 million strings": ("translate", "image_bytes", strings([60_000_000], b"x")),
    "60 million numbers": ("embed", "embedding", tensor(1, [1, 60_000_000], float_val=[1.0])),
    "a product beyond 64 bits": ("embed", "embedding", floats([2**40, 2**40], 1.0)),
    "a negative shape": ("embed", "embedding", floats([-1, -2], *UNIT)),
    "half a number": ("embed", "embedding", tensor(1, [1, 1], tensor_content=b"\0\0")),
    "numbers for images": ("translate", "image_bytes", floats([1], 1.0)),
    "images for numbers": ("embed", "embedding", strings([1], b"x")),
    "integers": ("embed", "embedding", tensor(3, [1, 1], int_val=[1])),
    "no number": ("embed", "embedding", floats([1, 2], float("nan"), 1.0)),
    "not of length 1": ("embed", "embedding", floats([1, 2], 1.0, 1.0)),
    "two for one": ("embed", "embedding", floats([2, 2], *UNIT, *UNIT)),
    "text for a PNG": ("translate", "image_bytes", strings([1], b"text")),
    "another size": ("translate", "image_bytes", strings([1], png(9, 9))),
    "one row for all": ("match", "embedding", floats([2], *UNIT)),
    "another output": ("embed", "other", floats([1, 2], *UNIT)),
}


@pytest.mark.parametrize("kind", WRONG_TENSORS)
def test_a_grpc_answer_with_wrong_values(kind, grpc_server, face):
    what, name, proto = WRONG_TENSORS[kind]
    tracemalloc.start()
    try:
        ask(grpc_server(lambda context: predicted(name, proto)), face, what, "--grpc")
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


def abort(context):
    context.abort(grpc.StatusCode.INTERNAL, "\x1b[2J" + "x" * 4000)


GRPC = {
    "too slow": (lambda context: time.sleep(3), LATE),
    "an error with escapes": (abort, "\\x1b[2J"),
    "a message of another kind": (lambda context: get_model_status_pb2.GetModelStatusResponse(), "without the output"),
    "an answer over the limit": (lambda context: predicted("x", strings([1], bytes(2**21))), "--max-message-mb"),
}


@pytest.mark.parametrize("kind", GRPC)
def test_a_grpc_server_that_fails(kind, grpc_server, face):
    answer, words = GRPC[kind]
    done = ask(grpc_server(answer), face, "embed", "--grpc", "--max-message-mb", 1)
    assert words in done.stderr


def test_a_grpc_message_that_is_none(face):
    """Bytes that are no message: gRPC would print a stack trace of its own."""
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: b"\xff\xff\xff")
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ask(port, face, "embed", "--grpc")
    server.stop(0)


@pytest.mark.parametrize(
    "answer", [lambda c: time.sleep(3), lambda c: c.sendall(b"x" * 99), lambda c: drip(c, b"", b"x")]
)
def test_what_is_no_grpc_server(answer, rest, face):
    ask(rest(answer), face, "embed", "--grpc")


# ---------------------------------------------------------------- the door, and proxies


def test_good_answers_pass():
    assert checked("embedding", [UNIT, [1, 0]], 2).dtype == np.float32
    assert checked("image_bytes", [png()], 1) == [png()]
    with pytest.raises(BrokenAnswer, match="length 1"):
        checked("embedding", [[1.0, 0.06]], 1)


def test_which_hosts_a_proxy_is_used_for(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for("models.example", 8501) is None
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.example:3128")
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1", "LOCALHOST"):
        assert proxy_for(host, 8501) is None
    assert proxy_for("models.example", 8501) == "http://me:secret@proxy.example:3128"
    for protocol in ("rest", "grpc"):
        name = connected("models.example", protocol).server.name
        assert "proxy.example:3128" in name and "secret" not in name
    monkeypatch.setenv("NO_PROXY", "other.example,.example")
    assert proxy_for("models.example", 8501) is None
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("http_proxy", "socks5://proxy.example:1080")
    with pytest.raises(UserError, match="http_proxy must be http://"):
        proxy_for("models.example", 8501)


@pytest.mark.parametrize(
    "protocol, asked", [("rest", b"GET http://models.example:99/v1/"), ("grpc", b"CONNECT models")]
)
def test_a_proxy_is_asked_and_named(protocol, asked, monkeypatch):
    """One that answers 403."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            heard.append(connection.recv(999))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        port = listening.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        more = [f"--{protocol}", "--retries", 0, "--timeout", 5]
        done = run("client", "status", "--server", "models.example:99", *more)
    refused(done, f"through the proxy 127.0.0.1:{port}")
    assert heard[0].startswith(asked)
