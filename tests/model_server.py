"""A twin of TensorFlow Serving's REST front end over real exports, for tests of the client over real sockets.

Made of the standard library after tensorflow/serving's ``g3doc/api_rest.md``, with the words and codes of the server.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import tensorflow as tf

_CODES = {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400, "UNAVAILABLE": 503, "INTERNAL": 500, "RESOURCE_EXHAUSTED": 429}
_PATH = re.compile(r"/v1/models/(?P<model>\w+)(/versions/(?P<version>\d+)|/labels/(?P<label>\w+))?(:predict)?")


class Failure(Exception):
    def __init__(self, code: str, reason: str):
        super().__init__(reason)
        self.code, self.reason = code, reason


@dataclass
class Models:
    """What is loaded: signatures by model and version, as functions on ``{name: array}``."""

    loaded: dict[str, dict[int, dict[str, Callable]]]
    states: dict[str, dict[int, str]] = field(default_factory=dict)  # of versions that are not AVAILABLE
    labels: dict[str, int] = field(default_factory=dict)
    pause_s: float = 0.0
    failures: list[Failure] = field(default_factory=list)  # one is taken by each request that comes
    requests: list[int] = field(default_factory=list)  # images in each request that came

    def predict(
        self, model: str, version: int | None, label: str | None, signature: str, inputs: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        self.requests.append(sum(map(len, inputs.values())))
        time.sleep(self.pause_s)
        if self.failures:
            raise self.failures.pop(0)
        versions = self.loaded.get(model, {})
        if label:
            if label not in self.labels:
                raise Failure("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
            version = self.labels[label]
        if version is None and versions:
            version = max(versions)
        if version not in versions:
            wanted = f"Specific({model}, {version})" if version is not None else f"Latest({model})"
            raise Failure("NOT_FOUND", f"Servable not found for request: {wanted}")
        try:
            return versions[version][signature](inputs)
        except KeyError:
            raise Failure("INVALID_ARGUMENT", f'Serving signature key "{signature}" not found.') from None
        except tf.errors.InvalidArgumentError as error:
            raise Failure("INVALID_ARGUMENT", error.message) from None

    def status(self, model: str) -> dict[int, str]:
        found = dict.fromkeys(self.loaded.get(model, {}), "AVAILABLE") | self.states.get(model, {})
        if not found:
            raise Failure("NOT_FOUND", f"Could not find any versions of model {model}")
        return found


def load(exports: dict[str, Path], version: int) -> Models:
    """Real exports behind real signatures."""

    def functions(folder: Path) -> dict[str, Callable]:
        saved = tf.saved_model.load(str(folder))
        return {
            name: lambda inputs, saved=saved, call=call: {
                key: value.numpy() for key, value in call(**{k: tf.constant(v) for k, v in inputs.items()}).items()
            }
            for name, call in saved.signatures.items()
        }

    return Models({name: {version: functions(folder)} for name, folder in exports.items()})


class RestTwin:
    def __init__(self, models: Models):
        twin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(lambda match: twin.status(match["model"]))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(lambda match: twin.predict(match, body))

            def _answer(self, make):
                match = _PATH.fullmatch(self.path)
                try:
                    status, answer = (200, make(match)) if match else (404, {"error": "Malformed request"})
                except Failure as failure:
                    status, answer = _CODES[failure.code], {"error": failure.reason}
                data = json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except BrokenPipeError:
                    pass  # the client did not wait

            def log_message(self, *_):
                pass

        self.models = models
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def status(self, model: str) -> dict:
        return {
            "model_version_status": [
                {"version": str(version), "state": state, "status": {"error_code": "OK", "error_message": ""}}
                for version, state in self.models.status(model).items()
            ]
        }

    def predict(self, match: re.Match, body: dict) -> dict:
        if "instances" in body or not isinstance(body.get("inputs"), dict):
            raise Failure("INVALID_ARGUMENT", "this twin takes columns only")
        inputs = {
            key: np.array([base64.b64decode(one["b64"]) for one in value], object)
            for key, value in body["inputs"].items()
        }
        outputs = self.models.predict(
            match["model"],
            match["version"] and int(match["version"]),
            match["label"],
            body.get("signature_name", "serving_default"),
            inputs,
        )
        columns = {
            key: [{"b64": base64.b64encode(one).decode()} for one in value]
            if key.endswith("_bytes")
            else value.tolist()
            for key, value in outputs.items()
        }
        return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}
