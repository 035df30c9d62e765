"""Serves the page: an address, the guard before it, and an end within two seconds."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.web.folder import PageFolder

_CONNECTIONS = 256  # at a time; more are answered 503
_GOODBYE_S = 0.5  # for answers that are under way when the page is stopped
_SESSIONS = 32  # whose state Gradio keeps; some hundred kB each, with 50 candidates a MB


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """An address of this machine, taken before anything long begins; port 0 is one that is free.

    Raises ``UserError`` where it cannot be had.
    """
    try:
        if not 0 <= port < 2**16:  # the system would take what is left of it
            raise OverflowError("ports go from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UserError(
            f"The page cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}. Give others "
            "with --host and --port."
        ) from None
    with taken:
        yield taken


def serve(page, folder: PageFolder, taken: socket.socket, say: Callable[[str], None]) -> None:
    """Serves ``page``, a ``gradio.Blocks``, until a signal; ``say`` is told the address as soon as it answers.

    Where answers or networks are still busy soon after the signal, the process ends all the same, without the folder.
    """
    import uvicorn

    host, port = taken.getsockname()[:2]

    class Server(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets)
            say(f"http://{f'[{host}]' if ':' in host else host}:{port}")

        def handle_exit(self, sig: int, frame) -> None:
            super().handle_exit(sig, frame)
            last = threading.Timer(_GOODBYE_S + 0.5, _leave, (folder, 128 + sig))
            last.daemon = True
            last.start()

    Server(settings(guarded(page, folder, host))).run([taken])


def settings(app):
    """Uvicorn's, bounded; nobody's ``X-Forwarded-For`` is believed, since it would switch the limits off."""
    import uvicorn

    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        proxy_headers=False,
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GOODBYE_S,
    )


def guarded(page, folder: PageFolder, host: str):
    """The ASGI application: ``page`` in the guard's care."""
    import fastapi
    import gradio
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from iacyclegan_tf.web.guard import Guard
    from iacyclegan_tf.web.html import CODE_FONTS, FONTS, beside
    from iacyclegan_tf.web.pictures import MAX_BYTES

    page.state_session_capacity = _SESSIONS
    app = gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        page,
        "/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        max_file_size=MAX_BYTES,
        theme=gradio.themes.Soft(primary_hue="indigo", neutral_hue="slate", font=FONTS, font_mono=CODE_FONTS),
        css=beside("page.css"),
        head=f"<script>{beside('page.js')}</script>",
        favicon_path=str(resources.files(__package__) / "favicon.svg"),
    )
    page._queue.pending_messages_per_session.max_size = _SESSIONS  # whose answers nobody has fetched yet
    return TrustedHostMiddleware(Guard(app, folder), _names(host), www_redirect=False)


def _names(host: str) -> list[str]:
    """What browsers may call a page of this machine alone; elsewhere its names are not known.

    By a name that points to 127.0.0.1 a foreign site could otherwise read it ("DNS rebinding").
    """
    address = f"[{host}]" if ":" in host else host
    return ["localhost", "127.0.0.1", "[::1]", address] if ipaddress.ip_address(host).is_loopback else ["*"]


def _leave(folder: PageFolder, code: int) -> None:
    shutil.rmtree(folder.path.parent, ignore_errors=True)
    os._exit(code)
