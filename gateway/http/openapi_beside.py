"""Parts of the OpenAPI document for paths that are not operations.

Health, documents and the stream are written here by hand; routes that were added to
FastAPI describe themselves.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gateway.wire.problems import CODES

_CHECKS: Final = {
    "type": "object",
    "properties": {
        "ready": {"type": "boolean"},
        "checks": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "ok": {"type": "boolean"},
                    "required": {"type": "boolean"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "required": ["ready", "checks"],
}


def beside(refusals: dict[str, Any]) -> dict[str, Any]:
    """Paths that are not operations; ``refusals`` are the errors common to all."""
    unready = refusals["503"]["content"] | {"application/json": {"schema": _CHECKS}}
    anything = {"type": "object"}

    def page(
        name: str, summary: str, schema: dict[str, Any], kind: str = "application/json"
    ) -> dict[str, Any]:
        done = {"description": "Done.", "content": {kind: {"schema": schema}}}
        return {
            "operationId": name,
            "summary": summary,
            "description": f"{summary}.",
            "tags": ["system"],
            "security": [{}],
            "responses": {"200": done, **refusals},
        }

    readyz = page(
        "readyz", "Whether the server can serve, and what is missing", _CHECKS
    )
    readyz["responses"]["503"] = refusals["503"] | {"content": unready}
    metrics = page(
        "metrics",
        "Metrics for Prometheus: for this machine, or with the metrics token",
        {"type": "string"},
        "text/plain; version=0.0.4; charset=utf-8",
    )
    metrics["responses"]["403"] = {
        "description": "`forbidden`: not from this machine, and no metrics token",
        "content": refusals["503"]["content"],
    }
    documents = {
        f"/{name}.json": {"get": page(name, f"The {title} document", anything)}
        for name, title in (("openapi", "OpenAPI"), ("asyncapi", "AsyncAPI"))
    }
    return {
        "/healthz": {"get": page("healthz", "Whether the process is alive", anything)},
        "/readyz": {"get": readyz},
        "/metrics": {"get": metrics},
        **documents,
        "/v1/stream": {"get": _stream(refusals)},
    }


def _stream(refusals: dict[str, Any]) -> dict[str, Any]:
    forbidden = {
        "description": "`forbidden`: Not allowed",
        "content": refusals["503"]["content"],
    }
    too_many = refusals["429"]["description"]
    crowded = f"{too_many}; `list_limit`: {CODES['list_limit'][1]}"
    return {
        "operationId": "stream",
        "summary": "Topics as Server-Sent Events",
        "description": "The frames of the live socket, for clients that only read; "
        "what they say is in `/asyncapi.json`.",
        "tags": ["live"],
        "security": [{}, {"bearer": []}],
        "parameters": [
            {
                "name": "topics",
                "in": "query",
                "required": True,
                "description": "Topics to watch, with commas between them.",
                "schema": {"type": "string"},
                "example": "slots/prv_1/consult/2026-W49",
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "The id of the last event received: "
                "the stream resumes after it.",
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            "200": {
                "description": "Events until either side closes the stream.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **refusals,
            "403": forbidden,
            "429": refusals["429"] | {"description": crowded},
        },
    }


def with_routes_of(app: FastAPI, described: dict[str, Any]) -> dict[str, Any]:
    """The document merged with the description of FastAPI's routes."""
    own = [route for route in app.routes if isinstance(route, APIRoute)]
    if not own:
        return described
    theirs = get_openapi(title=app.title, version=app.version, routes=own)
    components = described["components"]
    schemas = theirs.get("components", {}).get("schemas", {})
    return {
        **described,
        "paths": {**theirs["paths"], **described["paths"]},
        "components": {
            **components,
            "schemas": {**schemas, **components["schemas"]},
        },
    }
