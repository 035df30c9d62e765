"""Serves the page: its folder, the guard before it, and an end that leaves nothing behind."""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from iacyclegan_tf.errors import UserError

KEPT_S = 30 * 60  # how long pictures stay
_SWEEP_S = 60
_CONNECTIONS = 128  # at a time; more are answered 503
_GOODBYE_S = 2  # for answers that are under way when the page is stopped


def serve(build: Callable[[Path], object], host: str, port: int, say: Callable[[str], None]) -> None:
    """Runs the page until it is interrupted.

    Args:
        build: makes the page (a ``gradio.Blocks``) around the folder that its files go to.
        host: an address of this machine; ``127.0.0.1`` keeps the page to this machine.
        port: 0 takes one that is free.
        say: is told the address once the page answers.

    Raises:
        UserError: the address cannot be had, or the extra ``app`` is not installed.
    """
    listening = _listen(host, port)
    with listening, tempfile.TemporaryDirectory(prefix="iacyclegan-app-") as folder:  # mode 0700
        _quiet_framework(folder)
        try:
            import fastapi
            import gradio
            import uvicorn
        except ImportError as error:
            raise UserError(f"The page needs Gradio, which is not installed ({error.name} is missing). Install it with "
                            "pip install 'iacyclegan_tf[app]'.") from None
        from iacyclegan_tf.web.guard import Guard
        from iacyclegan_tf.web.style import CODE_FONTS, CSS, FONTS

        theme = gradio.themes.Soft(primary_hue="indigo", neutral_hue="slate", font=FONTS, font_mono=CODE_FONTS)
        app = gradio.mount_gradio_app(
            fastapi.FastAPI(openapi_url=None), build(Path(folder)), "/", footer_links=[], run_history=False, show_error=False,
            ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, theme=theme, css=CSS)
        threading.Thread(target=_sweep_for_ever, args=(Path(folder),), daemon=True).start()
        config = uvicorn.Config(Guard(app, Path(folder), _names(host)), log_level="warning", access_log=False, server_header=False,
                                limit_concurrency=_CONNECTIONS, timeout_graceful_shutdown=_GOODBYE_S)

        class Server(uvicorn.Server):
            async def startup(self, sockets=None) -> None:
                await super().startup(sockets)
                say(f"http://{_shown(listening)}")

        Server(config).run([listening])


def _quiet_framework(folder: str) -> None:
    """Before Gradio is imported: no telemetry, no look for newer versions, no hub, and its files in our folder."""
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder, "HF_HUB_OFFLINE": "1",
                   "HF_HUB_DISABLE_TELEMETRY": "1"}


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, OverflowError) as error:
        raise UserError(f"The page cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}. Give others "
                        "with --host and --port.") from None
    return listening


def _names(host: str) -> frozenset[str]:
    """What browsers may call a page of this machine alone; elsewhere its names are not known."""
    try:
        alone = ipaddress.ip_address(socket.gethostbyname(host) if host == "localhost" else host).is_loopback
    except (OSError, ValueError):
        alone = False
    return frozenset({"localhost", "127.0.0.1", "::1", host}) if alone else frozenset()


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
