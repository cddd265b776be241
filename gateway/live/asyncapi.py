"""The AsyncAPI 3.0 document of the live socket, from the types that run it.

Messages come from models.py and commands from the REST operations that answer them,
so a renamed field changes the document in the same commit; a test checks recorded
frames against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from gateway.http.endpoint import Operation
from gateway.live.core import messages as models
from gateway.live.core.messages import TEXT_BYTES_MAX
from gateway.live.sessions.commands import COMMANDS
from gateway.live.sessions.socket import SUBPROTOCOL
from gateway.wire.problems import CLOSE_REASONS, CODES, CloseCode

_REF: Final = "#/components/schemas/{name}"

CLIENT_MESSAGES: Final = (
    models.Auth,
    models.Logout,
    models.Subscribe,
    models.Unsubscribe,
    models.Ping,
)
SERVER_MESSAGES: Final = (
    models.SlotsSnapshot,
    models.SlotsDelta,
    models.BookingsSnapshot,
    models.BookingsDelta,
    models.MembersSnapshot,
    models.MembersDelta,
    models.Result,
    models.Error,
    models.Pong,
    models.Heartbeat,
    models.Bye,
)
_INTRODUCTION: Final = """\
Watch slots and schedules change, and send commands, over one WebSocket. Apply a delta
when its epoch is yours and `from <= yours < version`; skip it when `version <= yours`;
otherwise subscribe again with `since`. Order is kept per topic, not across topics. The
feed informs; the calendar decides. Close codes 4000-4499 mean come back, 4500-4999
mean do not.
"""


def document(
    operations: Sequence[Operation], version: str, url: str = ""
) -> dict[str, Any]:
    """The whole document, of REST's ``operations``; ``url`` is the public one."""
    by_name = {operation.name: operation for operation in operations}
    commands = {
        op: by_name[spelling.operation]
        for op, spelling in COMMANDS.items()
        if spelling.operation in by_name
    }
    schemas = _schemas(commands)
    messages = {
        name: {"name": name, "payload": {"$ref": _REF.format(name=name)}}
        for name in schemas.messages
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Slotcast live",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0"},
        },
        "servers": {"this": _server(url)},
        "defaultContentType": "application/json",
        "channels": {"live": _channel(messages)},
        "operations": _operations(commands),
        "components": {"messages": messages, "schemas": schemas.components},
        "x-close-codes": [
            {
                "code": int(code),
                "name": code.name.lower(),
                "comes_back": code.comes_back,
                "meaning": CLOSE_REASONS[code],
            }
            for code in CloseCode
        ],
        "x-error-codes": [
            {"code": code, "status": status, "title": title}
            for code, (status, title) in CODES.items()
        ],
    }


def _server(url: str) -> dict[str, Any]:
    """The socket's server; without a public URL, the one that served this document."""
    parts = urlsplit(url)
    if not parts.netloc:
        return {
            "host": "{host}",
            "protocol": "ws",
            "description": "The server that this document came from (wss under https).",
            "variables": {"host": {"default": "127.0.0.1:8000"}},
        }
    return {
        "host": parts.netloc,
        "protocol": "wss" if parts.scheme == "https" else "ws",
        "description": "This server",
    }


class _Schemas(msgspec.Struct):
    """Names of messages, and all schemas they need."""

    messages: list[str]
    components: dict[str, Any]


def _schemas(commands: dict[str, Operation]) -> _Schemas:
    plain = (*CLIENT_MESSAGES, *SERVER_MESSAGES)
    bodies = [op.body for op in commands.values() if op.body is not None]
    _, components = msgspec.json.schema_components([*plain, *bodies], ref_template=_REF)
    names = [kind.__name__ for kind in plain]
    for op, operation in commands.items():
        name = _command_name(op)
        names.append(name)
        components[name] = _command(op, operation, components)
    return _Schemas(names, components)


def _command_name(op: str) -> str:
    return f"{op.capitalize()}Command"


def _command(
    op: str, operation: Operation, components: dict[str, Any]
) -> dict[str, Any]:
    body = components[operation.body.__name__] if operation.body else {}
    properties: dict[str, Any] = {
        "op": {"const": op},
        "id": {"type": ["integer", "string", "null"]},
        "key": {
            "type": "string",
            "maxLength": 128,
            "description": "As Idempotency-Key in REST.",
        },
        **body.get("properties", {}),
    }
    required = ["op", *body.get("required", [])]
    path_field = COMMANDS[op].path_field
    if path_field:
        properties[path_field] = {"type": "string"}
        required.append(path_field)
    return {
        "title": _command_name(op),
        "description": operation.summary + ".",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _channel(messages: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": "/v1/live",
        "title": "The live socket",
        "description": f"At most {TEXT_BYTES_MAX} bytes per message of a client.",
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in messages
        },
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {"Sec-WebSocket-Protocol": {"const": SUBPROTOCOL}},
                },
                "bindingVersion": "0.1.0",
            }
        },
    }


def _operations(commands: dict[str, Operation]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "auth": _asks("Auth", "Sign in, or go on", ("Result", "Error")),
        "logout": _asks("Logout", "Sign out, and stay connected", ("Result", "Error")),
        "subscribe": _asks(
            "Subscribe",
            "Watch topics",
            ("Result", "Error", "SlotsSnapshot", "SlotsDelta", "BookingsSnapshot",
             "BookingsDelta", "MembersSnapshot", "MembersDelta"),
        ),
        "unsubscribe": _asks("Unsubscribe", "Unsubscribe", ("Result", "Error")),
        "ping": _asks("Ping", "Ask for a sign of life", ("Pong", "Error")),
    }  # fmt: skip
    for op, operation in commands.items():
        name = _command_name(op)
        found[op] = _asks(name, operation.summary, ("Result", "Error"))
    found["watch"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/live"},
        "summary": "Messages the server sends by itself",
        "messages": [
            _message(kind.__name__)
            for kind in SERVER_MESSAGES
            if kind not in (models.Result, models.Pong)
        ],
    }
    return found


def _asks(message: str, summary: str, replies: Sequence[str]) -> dict[str, Any]:
    # In AsyncAPI 3 the actions are the server's: it receives what clients send.
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/live"},
        "summary": summary,
        "messages": [_message(message)],
        "reply": {
            "channel": {"$ref": "#/channels/live"},
            "messages": [_message(name) for name in replies],
        },
    }


def _message(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/live/messages/{name}"}
