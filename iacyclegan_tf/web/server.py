"""Serves the page: its folder, the guard before it, and an end that leaves nothing behind."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from iacyclegan_tf.common.errors import UserError

KEPT_S = 30 * 60  # how long pictures stay
_SWEEP_S = 60
_CONNECTIONS = 128  # at a time; more are answered 503
_GOODBYE_S = 2  # for answers that are under way when the page is stopped


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """An address of this machine, taken before anything long begins; port 0 is one that is free. ``UserError``: it cannot be
    had."""
    try:
        if not 0 <= port < 2**16:  # the system would take what is left of it
            raise OverflowError("ports go from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The page cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}. Give others "
            "with --host and --port."
        ) from None
    with taken:
        yield taken


@contextmanager
def page_folder() -> Iterator[Path]:
    """A folder for what is uploaded and made, for this user's eyes only and gone at the end. Gradio may be imported inside:
    it then keeps its files there, sends no telemetry, and looks for no newer version."""
    if importlib.util.find_spec("gradio") is None:
        raise UserError(
            "The page needs Gradio, which is not installed. Install it with pip install 'iacyclegan_tf[app]'."
        )
    with tempfile.TemporaryDirectory(prefix="iacyclegan-app-") as folder:  # mode 0700
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": folder,
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        yield Path(folder)


def serve(page, folder: Path, taken: socket.socket, say: Callable[[str], None]) -> None:
    """Serves ``page``, a ``gradio.Blocks``, until it is interrupted; ``say`` is told the address as soon as it answers."""
    import uvicorn

    threading.Thread(target=_sweep_for_ever, args=(folder,), daemon=True).start()
    host, port = taken.getsockname()[:2]
    config = uvicorn.Config(
        guarded(page, folder, host),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GOODBYE_S,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets)
            say(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    Server(config).run([taken])


def guarded(page, folder: Path, host: str):
    """The ASGI application: ``page`` in the guard's care."""
    import fastapi
    import gradio

    from iacyclegan_tf.web.guard import Guard
    from iacyclegan_tf.web.html import CODE_FONTS, CSS, FONTS

    theme = gradio.themes.Soft(primary_hue="indigo", neutral_hue="slate", font=FONTS, font_mono=CODE_FONTS)
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
        theme=theme,
        css=CSS,
    )
    return Guard(app, folder, _names(host))


def _names(host: str) -> frozenset[str]:
    """What browsers may call a page of this machine alone; elsewhere its names are not known."""
    return frozenset({"localhost", "127.0.0.1", "::1", host}) if ipaddress.ip_address(host).is_loopback else frozenset()


def _sweep_for_ever(folder: Path) -> None:
    while folder.is_dir():
        sweep(folder, time.time() - KEPT_S)
        time.sleep(_SWEEP_S)


def sweep(folder: Path, before: float) -> None:
    """Deletes the files that were last written before that time, and folders that are then empty."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what lies in a folder comes before it
        try:
            if path.is_dir() and not path.is_symlink():
                if path.stat().st_mtime < before:
                    path.rmdir()
            elif path.lstat().st_mtime < before:
                path.unlink()
        except OSError:
            continue  # in use, not empty, or gone meanwhile: the next round comes
