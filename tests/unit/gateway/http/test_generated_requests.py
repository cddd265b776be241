"""Generated requests of every role: each answer is one that the document describes.

Not checked: that what fits the schema is accepted (rules of the domain refuse more,
with 422 and a sentence), and that what does not fit is refused, since a header that is
dropped from a request may be the token (the callers here have one; the table of rights
is walked by test_rights.py). Methods that are not described and operations without a
token are walked below: generated requests have neither.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.access.rights import Action, Relation
from gateway.access.tokens import Role
from tests.fakes.api import Api
from tests.fixtures.rights_region import bearer_of, caller_of, rights_region

CALLERS: tuple[Role | None, ...] = (None, *Role)
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
NOT_HERE = frozenset({"/v1/stream", "/v1/live", "/readyz"})
"""Streams, and what depends on a server that runs."""
EXAMPLES = {GenerationMode.POSITIVE: len(CALLERS), GenerationMode.NEGATIVE: 1}
LEAST = 900
"""Requests that must have been answered, so that the test is about something."""
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
PATHS = 80
"""Paths and protected operations that must have been found."""
BASIC = {"Authorization": "Basic YTpi"}
_OURS = frozenset({"content-length", "authorization", "host"})


class Generated:
    """Sends generated requests to an API, each by the next role."""

    def __init__(self, runner: asyncio.Runner, api: Api) -> None:
        self._runner = runner
        self._api = api
        self._turn = count()
        self.answered = 0
        self.by_role: Counter[str] = Counter()

    def send(self, case: Any) -> httpx.Response | None:
        """The answer; None for what no client can send."""
        role = CALLERS[next(self._turn) % len(CALLERS)]
        wanted = case.as_transport_kwargs(base_url="http://clinic.test")
        known = ("method", "url", "headers", "params", "json", "data", "cookies")
        try:
            made: Any = requests.Request(
                **{name: wanted[name] for name in known if name in wanted}
            ).prepare()
            headers = {k: v for k, v in made.headers.items() if k.lower() not in _OURS}
            if role is not None:
                cell = (role, Relation.OWN)
                caller = caller_of(self._api, Action.READ_ACCOUNT, cell)
                headers |= bearer_of(self._api, caller)
            answer = self._runner.run(
                self._api.client.request(
                    str(made.method), str(made.url), content=made.body, headers=headers
                )
            )
        except (
            UnicodeError,
            httpx.InvalidURL,
            requests.RequestException,
            requests.exceptions.InvalidHeader,
        ):
            return None
        self.answered += 1
        self.by_role[role or "anyone"] += 1
        return answer


def test_every_answer_is_one_that_the_document_describes(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """No 500, no code, header, media type or body that the document does not have."""
    with asyncio.Runner() as runner:
        region = rights_region(request, tmp_path)
        api, _ = runner.run(region.__aenter__())
        try:
            _walk(runner, api)
        finally:
            runner.run(region.__aexit__(None, None, None))


@pytest.fixture
async def region(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    async with rights_region(request, tmp_path) as (api, _):
        api.client.event_hooks = {"request": [], "response": []}
        yield api


async def test_methods_that_the_document_does_not_have_are_refused(
    region: Api,
) -> None:
    """On every path: 405, with the methods that it has."""
    paths = region.app.openapi()["paths"]
    for path in paths:
        where = re.sub(r"{\w+}", "x", path)
        known = {
            method.upper()
            for other, item in paths.items()
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", other), where)
            for method in item
        }
        for method in METHODS - known:
            answer = await region.client.request(method, where)
            allowed = {one.strip() for one in answer.headers["allow"].split(",")}
            assert answer.status_code == 405, (method, path)
            assert allowed - {"HEAD", "OPTIONS"} == known, (method, path)
    assert len(paths) >= PATHS


async def test_what_the_document_protects_answers_no_one_without_a_token(
    region: Api,
) -> None:
    """On every operation: without a token, with a damaged one, with another scheme."""
    protected = 0
    for path, item in region.app.openapi()["paths"].items():
        for method, operation in item.items():
            if {} in operation["security"]:
                continue
            protected += 1
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("example")
            where = re.sub(r"{\w+}", "x", path)
            for headers in ({}, {"Authorization": "Bearer no"}, BASIC):
                answer = await region.client.request(
                    method, where, json=body, headers=headers
                )
                assert answer.status_code == 401, (method, path, headers)
                assert answer.headers["www-authenticate"] == "Bearer"
    assert protected >= PATHS


def _walk(runner: asyncio.Runner, api: Api) -> None:
    document = json.loads(json.dumps(api.app.openapi()))
    api.client.event_hooks = {"request": [], "response": []}
    generated = Generated(runner, api)
    found: Any
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        if operation.path in NOT_HERE:
            continue
        for mode, examples in EXAMPLES.items():
            _ask(generated, operation, mode, examples)
    assert generated.answered >= LEAST
    assert len(generated.by_role) == len(CALLERS)


def _ask(generated: Generated, operation: Any, mode: Any, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = generated.send(case)
        if answer is not None:
            shown = Response.from_httpx(answer, verify=False)
            case.validate_response(shown, checks=list(CHECKS))

    with suppress(Unsatisfiable):  # nothing in it can be wrong
        ask()
