"""Errors that the framework raises, answered as problems."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from actors.errors import Unavailable
from gateway.http.features import FeatureRouter
from gateway.services import Services
from gateway.wire.errors import (
    FieldError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Refused,
    RequestError,
)
from gateway.wire.problems import Problem, of_error
from gateway.wire.replies import problem_reply


def add_problem_handlers(app: FastAPI, made: Services) -> None:
    """Turn the framework's own errors into problems."""

    def answer(found: Problem) -> Response:
        made.metrics.refused(found.code)
        reply = problem_reply(found)
        response = Response(reply.body, reply.status)
        response.raw_headers.extend(reply.headers)
        return response

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return answer(of_error(MethodNotAllowed(_methods_at(request))))
        return answer(of_error(_of_http_error(error)))

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = [
            FieldError(
                ".".join(str(part) for part in found["loc"][1:]) or "body", found["msg"]
            )
            for found in error.errors()
        ]
        return answer(of_error(InvalidRequest("", *fields)))

    async def broken(_request: Request, error: Exception) -> Response:
        return answer(of_error(error))

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (RequestError, Refused, Unavailable, Exception):
        app.add_exception_handler(kind, broken)


def _methods_at(request: Request) -> str:
    """Methods of all routes of a path: the framework names the first one's alone."""
    app, found = request.app, set[str]()
    routers: Sequence[FeatureRouter] = app.state.routers
    for routes in (app.routes, *(one.routes for one in routers)):
        for route in routes:
            methods = getattr(route, "methods", None)
            if methods and route.matches(request.scope)[0] is not Match.NONE:
                found |= methods
    return ", ".join(sorted(found)) or "GET"


def _of_http_error(error: HTTPException) -> Exception:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound()
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return InvalidRequest("The request cannot be read.")
    return error
