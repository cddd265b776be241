"""The OpenAPI document, from the same declarations that answer the requests.

Bodies are msgspec types and make their own schemas; refusals come from the one table
of codes. Every operation lists all statuses that it can answer with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi.openapi.utils import get_openapi

from gateway.access.rights import (
    HIDDEN_AS,
    NEEDS_ACCOUNT,
    OF,
    PERMISSIONS,
    PUBLIC,
    Of,
    Permission,
    Relation,
)
from gateway.http.endpoint import Operation
from gateway.http.features import (
    ANY_QUERY,
    AUDITED,
    REFUSALS,
    RIGHT,
    RIGHT_OF,
    STREAMED,
    FeatureRouter,
)
from gateway.http.openapi_beside import beside
from gateway.wire.problems import CODES, ProblemBody, status_of

_REF: Final = "#/components/schemas/{name}"
_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemBody"}
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_EVERYWHERE: Final = (
    "bad_request",
    "method_not_allowed",
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
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
"""Schemas of errors that are answered as problems here."""
_DESCRIBED_MAX: Final = 8
"""Sets of routers whose description is kept."""
_SIGNED_IN: Final = ("forbidden",)
_BODIES: Final = ("payload_too_large", "unsupported_media_type")
_KEYS: Final = ("idempotency_key_reused",)
_INTRODUCTION: Final = """\
Live scheduling for medical care. Instants are RFC 3339 in UTC, any offset is accepted;
dates are in the clinic's zone. Errors are `application/problem+json`; programs switch
on `code`. Writes take an `Idempotency-Key`: the same key with the same body is answered
with the first answer. Live changes: see `/asyncapi.json`.
"""


def document(
    operations: Sequence[Operation], version: str, url: str = ""
) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1; ``url`` is the site's public one."""
    types = _types(operations)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        item = _operation(operation, schema_of, components)
        paths[operation.path][operation.method.lower()] = item
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Slotcast",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": url.rstrip("/") or "/", "description": "This server"}],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": {**paths, **beside(_refusals(_EVERYWHERE))},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "`slotcast token` makes one for trials.",
                }
            },
        },
    }


def with_features(
    described: dict[str, Any], routers: Sequence[FeatureRouter]
) -> dict[str, Any]:
    """The document with the FastAPI routes of ordinary features beside the operations.

    FastAPI describes them; refusals are those that every operation can answer with.
    """
    made = msgspec.json.decode(_description(routers))
    for path, item in made["paths"].items():
        described["paths"].setdefault(path, {}).update(item)
    described["components"]["schemas"].update(made["schemas"])
    return described


def _description(routers: Sequence[FeatureRouter]) -> bytes:
    """Paths and schemas of these routers, as JSON: each application changes its own.

    Describing takes half a second, and a process may make more than one application.
    """
    key = tuple((id(router), len(router.routes)) for router in routers)
    if key not in _described:
        if len(_described) >= _DESCRIBED_MAX:
            _described.clear()
        # The routers are kept as well: no other one gets their ids meanwhile.
        _described[key] = tuple(routers), _describe(routers)
    return _described[key][1]


_described: dict[
    tuple[tuple[int, int], ...], tuple[Sequence[FeatureRouter], bytes]
] = {}


def _describe(routers: Sequence[FeatureRouter]) -> bytes:
    routes = [route for router in routers for route in router.routes]
    made = get_openapi(title="", version="", routes=routes)
    for item in made.get("paths", {}).values():
        for operation in item.values():
            _describe_refusals(operation)
            _show_example(operation, made["components"]["schemas"])
    found = made.get("components", {}).get("schemas", {})
    for name in _FASTAPIS_OWN:
        found.pop(name, None)
    return msgspec.json.encode({"paths": made.get("paths", {}), "schemas": found})


def codes_of_right(right: str, of: str) -> list[str]:
    """Error codes of a missing right, beyond 401 and 403."""
    cells = [cell for (one, *_), cell in PERMISSIONS.items() if one == right]
    codes = ["account_required"] if right in NEEDS_ACCOUNT else []
    if any(one.needs_second_factor for one in cells):
        codes.append("second_factor_required")
    if any(one.needs_fresh_proof for one in cells):
        codes.append("reauthentication_required")
    if of in HIDDEN_AS and Permission.HIDE in cells:
        codes.append(HIDDEN_AS[Of(of)])
    return codes


def _describe_refusals(operation: dict[str, Any]) -> None:
    """Describe problems instead of FastAPI's own errors, and the token."""
    anyone = operation.get(RIGHT) in ("anyone", *PUBLIC)
    operation["security"] = [{}, {"bearer": []}] if anyone else [{"bearer": []}]
    operation.pop(AUDITED, None)
    operation.pop(ANY_QUERY, None)
    operation.pop(STREAMED, None)
    writes = "requestBody" in operation
    parameters = {one["name"] for one in operation.get("parameters", ())}
    codes = [
        *_EVERYWHERE,
        *operation.pop(REFUSALS, ()),
        *codes_of_right(operation.get(RIGHT, ""), operation.get(RIGHT_OF, "")),
        *(() if anyone else _SIGNED_IN),
        *(_BODIES if writes else ()),
        *(_KEYS if "Idempotency-Key" in parameters else ()),
    ]
    operation["responses"].pop("422", None)
    responses = operation["responses"]
    for status, refusal in _refusals([one for one in CODES if one in codes]).items():
        own = responses.get(status, {}).get("content", {})
        responses[status] = refusal | {"content": own | refusal["content"]}


def _show_example(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move the example of a body's model beside its schema, as for operations."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        name = str(media["schema"].get("$ref", "")).rpartition("/")[2]
        media["example"] = schemas.get(name, {}).get("example")


def codes_of(operation: Operation) -> list[str]:
    """Every error code of an operation, in the table's order."""
    found = {*_EVERYWHERE, *operation.refusals}
    if not operation.public:
        found.update(_SIGNED_IN)
    if operation.writes:
        found.update(_BODIES, _KEYS)
    if operation.action is not None:
        found.update(codes_of_right(operation.action, OF[operation.action]))
    return [code for code in CODES if code in found]


def _types(operations: Iterable[Operation]) -> list[Any]:
    found: dict[Any, None] = {ProblemBody: None}
    for operation in operations:
        for kind in (operation.body, *operation.answers.values()):
            if kind is not None:
                found[kind] = None
    return list(found)


def _operation(
    operation: Operation, schema_of: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    item: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.summary}. {_who_may(operation)}",
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, schema_of),
        "security": [{}, {"bearer": []}] if operation.public else [{"bearer": []}],
    }
    if operation.body is not None:
        schema = schema_of[operation.body]
        example = operation.example or example_of(schema, components)
        media = {"schema": schema, "example": example}
        item["requestBody"] = {
            "description": "JSON in UTF-8; fields that are not listed are refused.",
            "required": operation.body_required,
            "content": {"application/json": media},
        }
    return item


def _who_may(operation: Operation) -> str:
    """An operation's row of the table of rights, as a sentence."""
    if operation.public or operation.action is None:
        return "Public: needs no token."
    may = [
        f"{role.value} ({'on what is theirs' if relation is Relation.OWN else 'any'})"
        for (action, role, relation), permission in PERMISSIONS.items()
        if action is operation.action and permission.allows
    ]
    return f"Allowed roles: {', '.join(may)}."


def example_of(schema: dict[str, Any], components: dict[str, Any]) -> Any:
    """A value of a schema: examples of its required fields, else the simplest."""
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components)
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        # If every field is optional, those with an example are shown.
        shown = schema.get("required") or [
            name for name, field in fields.items() if "examples" in field
        ]
        return {name: example_of(fields[name], components) for name in shown}
    if schema.get("type") == "array":
        return [example_of(schema["items"], components)]
    plain = {"integer": schema.get("minimum", 1), "number": 1.0, "boolean": True}
    return plain.get(schema.get("type", ""), "text")


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"Which {name.removesuffix('_id').replace('_', ' ')}.",
            "schema": {"type": "string"},
            "example": _PATH_EXAMPLES.get(name, "1"),
        }
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
    tagged = HTTPStatus.NOT_MODIFIED in operation.answers
    for status, kind in operation.answers.items():
        answer: dict[str, Any] = {
            "description": _STATUS_WORDS[status],
            "headers": _headers(status, tagged=tagged),
        }
        if kind is not None:
            answer["content"] = {"application/json": {"schema": schema_of[kind]}}
        responses[str(status)] = answer
    return responses | _refusals(codes_of(operation))


def _refusals(codes: Iterable[str]) -> dict[str, Any]:
    """Problems by status, with their codes in words."""
    responses: dict[str, Any] = {}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[status_of(code)].append(code)
    for status, found in by_status.items():
        words = "; ".join(f"`{code}`: {CODES[code][1]}" for code in found)
        content = {"application/problem+json": {"schema": _PROBLEM}}
        responses[str(status)] = {
            "description": words,
            "headers": _headers(status, tagged=False),
            "content": content,
        }
    return responses


def _headers(status: int, *, tagged: bool) -> dict[str, Any]:
    names = ["X-Request-Id", *_HEADERS_OF.get(status, ())]
    if tagged:
        names.append("ETag")
    return {name: _HEADERS[name] for name in names}


def _header(words: str, kind: str, example: object) -> dict[str, Any]:
    return {"description": words, "schema": {"type": kind}, "example": example}


_HEADERS: Final = {
    "X-Request-Id": _header("Names this request in the logs.", "string", "8c1f"),
    "ETag": _header("Changes when the answer does.", "string", 'W/"7.101.c0ffee"'),
    "Retry-After": _header("Seconds to wait before the next attempt.", "integer", 1),
    "WWW-Authenticate": _header("How to sign in.", "string", "Bearer"),
    "Allow": _header("The methods of this resource.", "string", "GET, HEAD, OPTIONS"),
}
_HEADERS_OF: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_PATH_EXAMPLES: Final = {
    "provider_id": "prv_1",
    "clinic_id": "cln_1",
    "hold_id": "hld_1.Xa8k2LqPz0",
    "booking_id": "bkg_1.Xa8k2LqPz0",
    "time_off_id": "off_1.Xa8k2LqPz0",
}
_TAGS: Final = {
    "auth": "Accounts: registering, signing in, sessions and passwords.",
    "jobs": "Background jobs, for operators.",
    "bookings": "Booked visits, from booking to completion.",
    "holds": "Slots reserved for a short time.",
    "providers": "Providers and their free slots.",
    "clinics": "Clinics and their addresses.",
    "directory": "What clinics, providers and specialties are known by.",
    "staff": "Providers' profiles, rules, leave and schedules.",
    "live": "Changes as they happen; see also `/asyncapi.json`.",
    "system": "Health, metrics and documents.",
}


_STATUS_WORDS: Final = {
    200: "Done.",
    201: "Made.",
    204: "Done; no content.",
    304: "Nothing has changed since the tag in If-None-Match.",
}
