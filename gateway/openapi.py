"""The OpenAPI document, from the same declarations that answer the requests.

Bodies are msgspec types and make their own schemas; refusals come from the one table
of codes. Every operation lists all statuses that it can answer with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from gateway.endpoint import Operation
from gateway.problems import CODES, ProblemBody, status_of

_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemBody"}
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_EVERYWHERE: Final = (
    "bad_request",
    "request_timeout",
    "misdirected",
    "unauthenticated",
    "uri_too_long",
    "headers_too_large",
    "invalid_request",
    "too_many_requests",
    "internal",
    "unavailable",
)
_SIGNED_IN: Final = ("forbidden",)
_WRITES: Final = (
    "payload_too_large",
    "unsupported_media_type",
    "idempotency_key_reused",
)
_INTRODUCTION: Final = """\
Live scheduling for medical care. Instants are RFC 3339 in UTC, any offset is accepted;
dates are in the clinic's zone. Errors are `application/problem+json`; programs switch
on `code`. Writes take an `Idempotency-Key`: the same key with the same body is answered
with the first answer. Live changes: see `/asyncapi.json`.
"""


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        item = _operation(operation, schema_of)
        paths[operation.path][operation.method.lower()] = item
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Slotcast",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(paths),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "`slotcast token` makes one for trying things out.",
                }
            },
        },
    }


def codes_of(operation: Operation) -> list[str]:
    """Every code that an operation may be refused with, in the table's order."""
    found = {*_EVERYWHERE, *operation.refusals}
    if not operation.public:
        found.update(_SIGNED_IN)
    if operation.writes:
        found.update(_WRITES)
    return [code for code in CODES if code in found]


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: dict[Any, None] = {ProblemBody: None}
    for operation in operations:
        for kind in (operation.body, *operation.answers.values()):
            if kind is not None:
                found[kind] = None
    return list(found)


def _operation(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, schema_of),
        "security": [{}, {"bearer": []}] if operation.public else [{"bearer": []}],
    }
    if operation.body is not None:
        item["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": schema_of[operation.body]}},
        }
    return item


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(operation.path)
    ]
    parameters.extend(
        {
            "name": query.name,
            "in": "query",
            "description": query.description,
            "schema": query.schema,
        }
        for query in operation.query
    )
    if operation.writes:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Makes a repeated request have one effect.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            }
        )
    return parameters


def _responses(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, kind in operation.answers.items():
        answer: dict[str, Any] = {"description": _STATUS_WORDS[status]}
        if kind is not None:
            answer["content"] = {"application/json": {"schema": schema_of[kind]}}
        responses[str(status)] = answer
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes_of(operation):
        by_status[status_of(code)].append(code)
    for status, codes in by_status.items():
        words = "; ".join(f"`{code}`: {CODES[code][1]}" for code in codes)
        content = {"application/problem+json": {"schema": _PROBLEM}}
        responses[str(status)] = {"description": words, "content": content}
    return responses


_STATUS_WORDS: Final = {
    200: "Done.",
    201: "Made.",
    204: "Done; there is nothing to show.",
    304: "Nothing has changed since the tag in If-None-Match.",
}
