"""Holds every answer of the gateway against its own OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator


class OpenApiChecker:
    """An httpx response hook: raises AssertionError when the document does not say so.

    Addresses that the document does not list are left alone.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._paths = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path)), item)
            for path, item in document["paths"].items()
        ]
        self.checked = 0
        self.seen: set[tuple[str, int]] = set()
        """(operation, status) pairs that were answered."""

    async def __call__(self, response: httpx.Response) -> None:
        await response.aread()
        request = response.request
        path = request.url.raw_path.partition(b"?")[0].decode()
        for pattern, item in self._paths:
            operation = item.get(request.method.lower())
            if operation is not None and pattern.fullmatch(path):
                self._check(operation, response)
                return

    def _check(self, operation: dict[str, Any], response: httpx.Response) -> None:
        name, status = operation["operationId"], str(response.status_code)
        where = f"{name} answered {status}: {response.text[:300]}"
        assert status in operation["responses"], where
        content = operation["responses"][status].get("content")
        if content is None:
            assert response.content == b"", where
        else:
            kind = response.headers["content-type"]
            assert kind in content, where
            schema = content[kind]["schema"]
            schema = {**schema, "components": self._document["components"]}
            said = response.json() if _is_json(kind) else response.text
            error = next(Draft202012Validator(schema).iter_errors(said), None)
            assert error is None, f"{where}: {error}"
        if response.headers.get("content-type") == "application/problem+json":
            body = response.json()
            assert body["status"] == response.status_code, where
            assert (
                f"`{body['code']}`" in (operation["responses"][status]["description"])
            ), where
        self.checked += 1
        self.seen.add((name, response.status_code))


def _is_json(kind: str) -> bool:
    """Whether a body of this media type is one JSON value."""
    plain = kind.partition(";")[0].strip()
    return plain == "application/json" or plain.endswith("+json")
