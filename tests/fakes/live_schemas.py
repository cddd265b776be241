"""Checks messages against the schemas of the AsyncAPI document."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

_COMMANDS = ("hold", "extend", "release", "book", "cancel", "reschedule")


class LiveSchemas:
    """Finds the schema of a message by its ``op`` or ``t``, and checks it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._made: dict[str, Draft202012Validator] = {}
        self.seen: set[str] = set()

    def check_client(self, message: dict[str, Any]) -> None:
        op = message["op"]
        name = op.capitalize() + ("Command" if op in _COMMANDS else "")
        if f"{name}" in self._components["messages"]:
            self._check(name, message)

    def check_server(self, frame: dict[str, Any]) -> None:
        name = frame["t"].capitalize()
        if frame["t"] in ("snapshot", "delta"):
            kinds = ("slots", "members", "bookings")
            name = next(kind for kind in kinds if kind in frame).capitalize() + name
        self._check(name, frame)

    def _check(self, name: str, message: dict[str, Any]) -> None:
        self.seen.add(name)
        validator = self._made.get(name)
        if validator is None:
            schema = {
                "$ref": f"#/components/schemas/{name}",
                "components": self._components,
            }
            validator = self._made[name] = Draft202012Validator(schema)
        validator.validate(message)
