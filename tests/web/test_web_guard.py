"""The guard before the page: what gets through, what does not, and in whose words; in this process, without Gradio."""

import asyncio
import json
import os

import pytest

pytest.importorskip("fastapi", reason="the page needs the extra app")
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient

from iacyclegan_tf.web import guard
from iacyclegan_tf.web.folder import PageFolder
from iacyclegan_tf.web.server import _names

JOIN, UPLOAD, CANCEL = "/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/cancel"
LIMITS = {"_UPLOAD_BYTES": 2**21, "_MESSAGE_BYTES": 8000, "_PER_MINUTE": 5}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Everything answers ``through <path> <bytes of the body>``; ``tick`` moves the clock."""
    inner, time = FastAPI(openapi_url=None), [0.0]

    @inner.get("/gradio_api/queue/data")
    async def broken_off(session_hash: str):
        async def stream():
            yield "data: begun"
            raise HTTPException(404)

        return StreamingResponse(stream())

    @inner.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "DELETE"])
    async def through(path: str, request: Request) -> str:
        if path == "config":
            raise ZeroDivisionError("a fault of ours")
        if b"fault" in (body := await request.body()):
            raise TypeError("a form that the framework cannot read")
        return f"through {path} {len(body)} {sorted(request.headers)}"

    folder = tmp_path / "own"
    (folder / "deep").mkdir(parents=True)
    (folder / "face.png").write_bytes(b"png")
    (tmp_path / "secret.txt").write_text("secret")
    os.symlink(tmp_path / "secret.txt", folder / "link.png")
    for name, value in (LIMITS | {"monotonic": lambda: time[0]}).items():
        monkeypatch.setattr(guard, name, value)
    guarded = guard.Guard(inner, PageFolder(folder, 2**21))
    client = TestClient(TrustedHostMiddleware(guarded, _names("127.0.0.1")), "http://127.0.0.1:7860")
    client.folder, client.tick = folder, lambda seconds: time.__setitem__(0, time[0] + seconds)
    return client


def picture(path, **changed) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}} | changed


def sentence(answer) -> str:
    """A question is answered in JSON, in which Gradio's page looks for words to show."""
    return answer.json()["detail"] if answer.request.url.path == JOIN else answer.text


def message(picture: dict | None = None, **changed) -> dict:
    """What a browser sends; ``changed`` takes the place of its fields."""
    return {"data": [picture, "Photo → sketch"], "fn_index": 0, "trigger_id": 5, "session_hash": "ab12"} | changed


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?__theme=dark",
        "/theme.css?v=ab",
        "/assets/index-B1.js",
        "/static/img/logo.svg",
        "/gradio_api/heartbeat/ab12",
        "/gradio_api/info",
        "/gradio_api/upload_progress?upload_id=ab",
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


@pytest.mark.parametrize(
    "path",
    ["/?deep_link=../../x", "/?a=1", "/gradio_api/upload_progress?upload_id=%00", "/?__theme", "/?&&=", "/?v=a/b"],
)
def test_strange_queries_are_not_understood(page, path):
    assert page.get(path).status_code == 400 and page.get(path).text == "The request is not understood."


def test_headers_that_frameworks_believe_are_taken_away(page):
    headers = {
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Proto": "[",
        "Cookie": "a=b",
        "Referer": "http://[",
        "Range": "bytes=x",
    }
    said = page.get("/", headers=headers).text
    assert "user-agent" in said and not any(name.lower() in said for name in headers)


def test_files_of_its_own_folder_are_given_out_and_kept_in_no_cache(page):
    answer = page.get(f"/gradio_api/file={page.folder}/face.png")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["deep", "gone.png", ""])
def test_what_is_no_file_is_not_there(page, name):
    answer = page.get(f"/gradio_api/file={page.folder}/{name}")
    assert answer.status_code == 404 and answer.text == "That picture is no longer here; choose it again."
    asked = page.post(JOIN, json=message(picture(page.folder / name)))
    assert asked.status_code == 404 and sentence(asked) == answer.text


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
    for answer in (page.get(f"/gradio_api/file={name}"), page.post(JOIN, json=message(picture(name)))):
        assert answer.status_code == 403 and sentence(answer) == "That file is not given out."


def test_a_message_about_its_own_files_gets_through_whole(page):
    for one in (
        message(),
        message(picture(page.folder / "face.png", orig_name="ä.png", size=3, url="http://a", mime_type=None)),
    ):
        body = json.dumps(one)
        assert page.post(JOIN, content=body).text.startswith(f'"through {JOIN[1:]} {len(body)} ')
    assert page.post(JOIN, json=message(data=[None, None])).status_code == 200
    cancel = {"session_hash": "ab", "fn_index": 1, "event_id": "a" * 32}
    assert page.post(CANCEL, json=cancel).status_code == 200


@pytest.mark.parametrize("wrong", ["{", "\x00", "", "[" * 5000, "\ud800", '{"path": 7}', '[{"path": null}]'])
def test_other_messages_are_not_understood(page, wrong):
    answer = page.post(JOIN, content=wrong.encode(errors="surrogatepass"))
    assert answer.status_code == 400 and sentence(answer) == "The request is not understood."


def test_files_are_seen_wherever_a_message_names_them(page):
    own, other = picture(page.folder / "face.png"), picture("/etc/passwd")
    for one, status in (
        (message(data=[[{"image": own}, {"image": own}], 10], event_data=[own]), 200),
        (message(data=[[{"image": own}, {"image": other}], 10]), 403),
        (message(own, event_data=[{"image": other}]), 403),
        (own | {"more": {"path": "http://example.org/a.png"}}, 403),
    ):
        assert page.post(JOIN, json=one).status_code == status


def test_too_large(page):
    assert page.post(UPLOAD, content=bytes(2**20)).status_code == 200
    answer = page.post(UPLOAD, content=bytes(2**21 + 1))
    assert answer.status_code == 413 and answer.text == "That is too large; at most 2 MB are taken."
    assert page.post(JOIN, content=b'"' + b"a" * 8000 + b'"').status_code == 413
    assert page.post(UPLOAD, content=iter([b"some", b"parts"])).status_code == 411  # without a length
    assert page.post(UPLOAD, content=b"a", headers={"content-length": "-1"}).status_code == 413
    assert page.post(UPLOAD, content=b"a", headers={"content-length": "one"}).status_code == 400


def test_a_request_that_does_not_arrive_is_given_up(page, monkeypatch):
    monkeypatch.setattr(guard, "_SECONDS", 0.05)
    headers = [(b"host", b"localhost"), (b"content-length", b"9")]
    scope = {"type": "http", "method": "POST", "query_string": b"", "headers": headers, "client": ("a", 1)}
    scope |= {"scheme": "http", "server": ("a", 1), "root_path": "", "http_version": "1.1"}
    for path in (UPLOAD, JOIN, CANCEL):
        sent = []

        async def send(message, sent=sent):
            sent.append(message)

        asyncio.run(page.app(scope | {"path": path, "raw_path": path.encode()}, asyncio.Event().wait, send))
        assert sent[0]["status"] == 408 and b"took too long to arrive" in sent[1]["body"] and len(sent) == 2


def test_chunks_are_refused_whatever_length_is_announced(page):
    for path in (UPLOAD, JOIN, CANCEL):
        answer = page.post(path, content=b"{}", headers={"transfer-encoding": "chunked", "content-length": "2"})
        assert answer.status_code == 411 and "not come in chunks" in answer.text


def test_too_often(page):
    assert [page.post(JOIN, json=message()).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert "wait a little" in page.post(UPLOAD, content=b"a").text
    assert page.get("/").status_code == 200  # reading is free
    page.tick(61)
    assert page.post(JOIN, json=message()).status_code == 200


def test_a_full_folder_takes_no_more(page):
    (page.folder / "big").write_bytes(bytes(2**21))
    answer = page.post(UPLOAD, content=b"a")
    assert answer.status_code == 507 and "too many pictures" in answer.text


def test_a_form_that_the_framework_cannot_read_is_no_fault_of_ours(page):
    answer = page.post(UPLOAD, content=b"fault")
    assert answer.status_code == 400 and answer.text == "The request is not understood."
    with pytest.raises(ZeroDivisionError):  # the server writes it to the terminal
        page.get("/config")
    assert (
        TestClient(page.app, page.base_url, raise_server_exceptions=False).get("/config").text == "That did not work."
    )


def test_an_answer_that_the_framework_breaks_off_ends(page):
    assert page.get("/gradio_api/queue/data?session_hash=unknown").text == "data: begun"


@pytest.mark.parametrize("host", ["localhost:7860", "LOCALHOST", "127.0.0.1:1", "[::1]:7860"])
def test_names_of_this_machine(page, host):
    assert page.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:7860", "", "[", "]:[", "[::1", "a@localhost", "ä", "localhost:x"]
)
def test_no_other_names(page, host):
    assert page.get("/", headers={"host": host.encode()}).status_code == 400
    open_to_all = TestClient(TrustedHostMiddleware(page.app.app, _names("192.0.2.1")), "http://127.0.0.1:7860")
    status = open_to_all.get("/", headers={"host": host.encode()}).status_code
    assert status == (200 if "evil" in host else 400)


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:7860", "https://127.0.0.1:7860"])
def test_the_page_may_ask(page, origin):
    assert page.post(JOIN, json=message(), headers={"origin": origin} if origin else {}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://[", "", "127.0.0.1:7860"]
)
def test_other_pages_may_not_ask(page, origin):
    assert page.post(JOIN, json=message(), headers={"origin": origin}).status_code == 403
