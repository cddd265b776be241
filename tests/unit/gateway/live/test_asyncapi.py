"""The AsyncAPI document and the code that it describes."""

from __future__ import annotations

import json
from typing import Any

from gateway.live.asyncapi import document
from gateway.live.sessions.commands import COMMANDS
from gateway.wire.problems import CLOSE_REASONS, CloseCode
from tests.fakes.api import Api


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [ref for value in part.values() for ref in _references(value)]
    if isinstance(part, list):
        return [ref for value in part for ref in _references(value)]
    return []


async def test_the_document_is_whole(api: Api) -> None:
    """Every reference leads somewhere, and all commands are there."""
    made = document(api.app.state.live.operations, "1.0")
    assert json.loads(json.dumps(made)) == made
    for reference in set(_references(made)):
        place: Any = made
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert set(COMMANDS) < set(made["operations"])
    hold = made["components"]["schemas"]["HoldCommand"]
    assert {"op", "provider_id", "visit_type", "start"} <= set(hold["required"])


def test_every_close_code_is_explained() -> None:
    """In words that fit into a close frame."""
    assert set(CLOSE_REASONS) == set(CloseCode)
    assert all(0 < len(reason.encode()) <= 123 for reason in CLOSE_REASONS.values())


def test_the_document_says_where_the_socket_is() -> None:
    """The public URL's host, wss under https; else the host it came from."""
    there = document([], "1.0", "https://clinic.example:8443")["servers"]["this"]
    assert (there["host"], there["protocol"]) == ("clinic.example:8443", "wss")
    assert document([], "1.0")["servers"]["this"]["variables"]["host"]["default"]
