"""TensorFlow Serving's REST API: ``POST /v1/models/M:predict`` in columns, ``GET /v1/models/M``; no library needed."""

from __future__ import annotations

import base64
import http.client
import json

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.serving.client.connection import Connection, Model, NotFound, Refused, Unavailable, VersionState

_BUSY = (429, 503)  # batching queue full, not ready


class RestConnection(Connection):
    hint = "Is it running, and is this its REST port (usually 8501)?"

    def _predict(self, model: Model, signature: str, inputs: dict[str, list[bytes]]) -> dict[str, list]:
        which = (
            f"/versions/{model.version}"
            if model.version is not None
            else f"/labels/{model.label}"
            if model.label
            else ""
        )
        columns = {
            name: [{"b64": base64.b64encode(data).decode()} for data in images] for name, images in inputs.items()
        }
        answer = self._ask(
            "POST", f"/v1/models/{model.name}{which}:predict", {"signature_name": signature, "inputs": columns}
        )
        outputs = answer.get("outputs")
        if not isinstance(outputs, dict):  # a single output stands alone, without its name
            outputs = {"": outputs}
        return {
            name: [base64.b64decode(v["b64"]) if isinstance(v, dict) else v for v in values]
            for name, values in outputs.items()
        }

    def _status(self, name: str) -> list[VersionState]:
        answer = self._ask("GET", f"/v1/models/{name}")
        return [
            VersionState(int(one["version"]), one["state"], one.get("status", {}).get("error_message", ""))
            for one in answer.get("model_version_status", [])
        ]

    def _ask(self, method: str, path: str, body: dict | None = None) -> dict:
        connection = http.client.HTTPConnection(
            self.server.host.strip("[]"), self.server.port, timeout=self.server.timeout_s
        )
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            limit = self.server.max_message_mb * 2**20
            data = response.read(limit + 1)
        except TimeoutError:
            raise self._too_slow() from None
        except (http.client.RemoteDisconnected, http.client.IncompleteRead):
            raise Unavailable("it hung up before the answer was whole") from None
        except http.client.HTTPException as error:
            raise UserError(
                f"What answers at {self.server.name} does not speak HTTP ({type(error).__name__}). {self.hint}"
            ) from None
        except OSError as error:
            raise Unavailable(error.strerror or str(error)) from None
        finally:
            connection.close()
        if len(data) > limit:
            raise UserError(
                f"The answer of {self.server.name} is larger than --max-message-mb="
                f"{self.server.max_message_mb}; send fewer images at a time (--batch) or raise it."
            )
        return self._checked(response.status, data)

    def _checked(self, status: int, data: bytes) -> dict:
        try:
            answer = json.loads(data)
            reason = answer.get("error", "")
        except (ValueError, AttributeError):
            raise UserError(
                f"What answers at {self.server.name} is no TensorFlow Serving: HTTP {status} without JSON. {self.hint}"
            ) from None
        if status == 200:
            return answer
        kind = {404: NotFound, 400: Refused}.get(status, Unavailable if status in _BUSY else UserError)
        raise kind(f"The server at {self.server.name} failed: HTTP {status}, {reason}" if kind is UserError else reason)
