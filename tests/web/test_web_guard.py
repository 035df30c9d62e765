"""The guard before the page: what gets through, what does not, and in whose words."""

import json
import os

import pytest

pytest.importorskip("fastapi", reason="the page needs the extra app")
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from iacyclegan_tf.web.guard import Guard, Limits

JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"
LIMITS = Limits(upload_bytes=2**21, message_bytes=1000, per_minute=5, folder_bytes=5000)


@pytest.fixture
def page(tmp_path):
    """Everything answers ``through <path> <bytes of the body>``; ``tick`` moves the clock."""
    inner, time = FastAPI(openapi_url=None), [0.0]

    @inner.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "DELETE"])
    async def through(path: str, request: Request) -> str:
        return f"through {path} {len(await request.body())}"

    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "face.png").write_bytes(b"png")
    (tmp_path / "secret.txt").write_text("secret")
    os.symlink(tmp_path / "secret.txt", folder / "link.png")
    client = TestClient(
        Guard(inner, folder, frozenset({"127.0.0.1", "localhost"}), LIMITS, lambda: time[0]), "http://127.0.0.1:7860"
    )
    client.folder, client.tick = folder, lambda seconds: time.__setitem__(0, time[0] + seconds)
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/theme.css",
        "/assets/index-B1.js",
        "/static/img/logo.svg",
        "/gradio_api/queue/data?session_hash=a",
        "/gradio_api/heartbeat/ab12",
        "/gradio_api/info",
    ],
)
def test_the_pages_own_requests_get_through(page, path):
    answer = page.get(path)
    assert answer.status_code == 200 and answer.text.startswith('"through')
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/gradio_api/proxy=http://example.org/"),
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/monitoring"),
        ("GET", "/gradio_api/vibe-code"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/gradio_api/run/predict"),
        ("POST", "/gradio_api/call/translate"),
        ("POST", "/gradio_api/run-history/connect"),
        ("GET", "/login_check"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/custom_component/a/b/c/d"),
        ("POST", "/gradio_api/process_recording"),
        ("PUT", "/"),
        ("DELETE", "/config"),
        ("POST", "/"),
        ("GET", "/assets/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "/nowhere"),
        ("GET", "/static/.hidden"),
    ],
)
def test_all_else_does_not(page, method, path):
    answer = page.request(method, path)
    assert answer.status_code == 404 and answer.text == "There is nothing here."


def test_files_of_its_own_folder_are_given_out_and_kept_in_no_cache(page):
    answer = page.get(f"/gradio_api/file={page.folder}/face.png")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "{own}/../secret.txt",
        "{own}/%2e%2e/secret.txt",
        "{own}/%252e%252e/secret.txt",
        "{own}/link.png",
        "secret.txt",
        "../secret.txt",
        "http://example.org/a.png",
        "https://127.0.0.1:1/",
        "file:///etc/passwd",
        "//etc/passwd",
        "{own}x/a.png",
        "\\\\host\\share",
        "{own}/a%00.png",
        "~/.bashrc",
        "/proc/self/environ",
    ],
)
def test_no_other_file_is_given_out_or_read(page, name):
    name = name.format(own=page.folder)
    answer = page.get(f"/gradio_api/file={name}")
    assert answer.status_code == 403 and answer.text == "That file is not given out."
    for data in (
        [{"path": name}],
        [{"a": [{"path": name, "meta": {"_type": "gradio.FileData"}}]}],
        ["a", {"value": {"path": name}}],
    ):
        page.tick(100)
        answer = page.post(JOIN, json={"data": data, "fn_index": 0})
        assert answer.status_code == 403 and answer.text == "That file is not given out."


def test_a_message_about_its_own_files_gets_through_whole(page):
    message = json.dumps({"data": [{"path": str(page.folder / "face.png")}, "Photo → sketch", None], "fn_index": 0})
    answer = page.post(JOIN, content=message)
    assert answer.text == f'"through {JOIN[1:]} {len(message.encode())}"'


@pytest.mark.parametrize("message", ["{", "\x00", '{"data": [{"path": 7}]}', '{"data": [{"path": null}]}', "[" * 900])
def test_other_messages_are_not_understood(page, message):
    answer = page.post(JOIN, content=message)
    assert answer.status_code == 400 and answer.text == "The request is not understood."


def test_too_large(page):
    assert page.post(UPLOAD, content=bytes(2**21)).status_code == 200
    answer = page.post(UPLOAD, content=bytes(2**21 + 1))
    assert answer.status_code == 413 and answer.text == "That is too large; at most 2 MB are taken."
    assert page.post(JOIN, content=b'"' + b"a" * 1000 + b'"').status_code == 413
    assert page.post(UPLOAD, content=iter([b"some", b"parts"])).status_code == 411  # without a length


def test_too_often(page):
    assert [page.post(JOIN, json={}).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert "wait a little" in page.post(UPLOAD, content=b"a").text
    assert page.get("/").status_code == 200  # reading is free
    page.tick(61)
    assert page.post(JOIN, json={}).status_code == 200


def test_a_full_folder_takes_no_more(page):
    (page.folder / "big").write_bytes(bytes(6000))
    answer = page.post(UPLOAD, content=b"a")
    assert answer.status_code == 507 and "too many pictures" in answer.text


@pytest.mark.parametrize(
    "host, status",
    [
        ("localhost:7860", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:7860", 403),
        ("", 403),
    ],
)
def test_only_names_of_this_machine(page, host, status):
    assert page.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "origin, status",
    [("http://127.0.0.1:7860", 200), ("http://evil.example", 403), ("null", 403), ("http://127.0.0.1:9999", 403)],
)
def test_other_pages_may_not_ask(page, origin, status):
    assert page.post(JOIN, json={}, headers={"origin": origin}).status_code == status
