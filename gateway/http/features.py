"""Ordinary features: FastAPI routers whose routes declare who may call them.

A feature is a package ``gateway/<feature>/`` with a ``FeatureRouter``::

    router = FeatureRouter(prefix="/v1/jobs", tags=["jobs"])

    @router.get("/dead", right=Action.OPERATE)
    async def dead_jobs(page: PageDep, jobs: JobsDep) -> DeadJobsPage: ...

Before the handler runs, the caller is authenticated and counted exactly as for the
operations of the hot paths (endpoint.py), query parameters that the route does not
declare are refused, and the right is checked: ``of`` says on what, by default what the
table of rights says. With ``Of.FOUND`` the handler asks ``Access``, since only it finds
the object.

A POST, PUT or PATCH with ``Idempotency-Key`` that is repeated gets its first answer,
and the handler does not run again (idempotency.py). ``idempotent=False`` is for routes
whose body or answer is streamed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message

from actors.domain.ids import ClinicId, PatientId, ProviderId
from gateway.access.rights import OF, PUBLIC, Access, Action, Of, Relation
from gateway.access.tokens import Caller
from gateway.access.trail import handler_acted
from gateway.http.auditing import audit_refusal, audited, seen_caller
from gateway.http.endpoint import RequestGate, bounded_body
from gateway.http.idempotency import (
    KeyHeader,
    Replayed,
    claim_key,
    response_of,
    settle,
)
from gateway.wire.bodies import unknown
from gateway.wire.errors import InvalidRequest, Unauthenticated
from gateway.wire.problems import of_error
from gateway.wire.replies import problem_reply

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

ANYONE: Final = None
"""The right of a route that needs no token."""
IDEMPOTENT_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
"""Writes whose repetition could have a second effect; DELETE has one by nature."""
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})
RIGHT: Final = "x-right"
"""Where the OpenAPI document names a route's right."""
RIGHT_OF: Final = "x-right-of"
"""And what the right is on."""
AUDITED: Final = "x-audited"
"""Where it stands whether a route's requests are audited; not in the document."""
STREAMED: Final = "x-streamed"
"""Whether the handler reads the body itself; not in the document."""
ANY_QUERY: Final = "x-any-query"
"""Whether a route takes parameters that it does not declare; not in the document."""
REFUSALS: Final = "x-refusals"
"""Key of a route's own refusals until they are described; not in the document."""


class Body(BaseModel):
    """Base of request bodies: an unknown field is refused, and named."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Answer(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(frozen=True)


class Page(BaseModel):
    """Query parameters of a list.

    ``cursor`` is ``next_cursor`` of the previous page.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=200, description="Maximum number of items.")
    cursor: str | None = Field(
        None, max_length=200, description="next_cursor of the previous page."
    )


PageDep = Annotated[Page, Query()]


async def caller_of(request: Request) -> Caller | None:
    """The caller, counted against their rate limit; None without a token.

    Raises:
        Unauthenticated: the token is not valid.
        TooManyRequests: too many requests of this caller or address.
    """
    gate: RequestGate = request.app.state.gate
    address = request.client.host if request.client else ""
    caller = gate.admit(request.headers.get("authorization"), address)
    seen_caller(request, caller)
    return caller


async def count_address(request: Request) -> None:
    """Count a request whose Authorization header names no caller of ours.

    Raises:
        TooManyRequests: too many requests of this address.
    """
    gate: RequestGate = request.app.state.gate
    gate.admit(None, request.client.host if request.client else "")


async def signed_in_caller(
    caller: Annotated[Caller | None, Depends(caller_of)],
) -> Caller:
    """The signed-in caller. Raises Unauthenticated without a token."""
    if caller is None:
        raise Unauthenticated
    return caller


CallerDep = Annotated[Caller, Depends(signed_in_caller)]
"""The signed-in caller, for handlers that need to know."""


def may(right: Action, of: Of) -> Callable[..., Awaitable[None]]:
    """A dependency that admits only callers with this right.

    The object is in the path: ``provider_id``, ``patient_id`` or ``clinic_id``; or it
    is the caller's own, or the platform. Raises the errors of ``Access``.
    """

    async def check(request: Request, caller: CallerDep) -> None:
        access: Access = request.app.state.services.access
        path = request.path_params
        match of:
            case Of.PROVIDER:
                provider_id = ProviderId(path["provider_id"])
                await access.to_provider(caller, right, provider_id)
            case Of.PATIENT if "patient_id" in path:
                patient_id = PatientId(path["patient_id"])
                await access.to_patient(caller, right, patient_id)
            case Of.CLINIC:
                await access.to_clinic(caller, right, ClinicId(path["clinic_id"]))
            case Of.ACCOUNT:
                access.to_account(caller, right)
            case Of.PLATFORM:
                access.to_platform(caller, right)
            case Of.CALLER | Of.PATIENT:
                access.decide(caller, right, Relation.OWN)
            case _:
                pass  # the handler finds the object, and asks

    return check


async def claim_caller_key(
    request: Request,
    caller: Annotated[Caller | None, Depends(caller_of)],
    key: KeyHeader = None,
) -> None:
    """Claim the request's idempotency key; see ``claim_key`` for what it raises."""
    await claim_key(request, caller, key)


class FeatureRoute(APIRoute):
    """A route that refuses query parameters it does not declare."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        is_audited = (self.openapi_extra or {}).get(AUDITED, True)
        is_streamed = (self.openapi_extra or {}).get(STREAMED, False)
        is_open = (self.openapi_extra or {}).get(ANY_QUERY, False)
        right = str((self.openapi_extra or {}).get(RIGHT, ""))

        async def checked(request: Request) -> Response:
            handler_acted.set(False)
            for name in request.query_params:
                if name not in known and not is_open:
                    raise InvalidRequest("", unknown(name, known, "parameter"))
            if request.method not in _WITHOUT_BODY and not is_streamed:
                request = await _with_body(request)
            try:
                response = await handle(request)
            except Replayed as found:
                return response_of(found.answer)
            except Exception as error:
                await _refused(request, error, self.name if is_audited else "", right)
                raise
            if is_audited:
                await audited(request, self.name, response.status_code)
            await settle(request, response)
            return response

        return checked


class FeatureRouter(APIRouter):
    """An APIRouter whose routes must declare the right that they need."""

    def __init__(self, *, prefix: str, tags: list[str], audited: bool = True) -> None:
        """``audited=False``: its handlers write their own entries."""
        self._audited = audited
        super().__init__(
            prefix=prefix,
            tags=list(tags),
            route_class=FeatureRoute,
            generate_unique_id_function=lambda route: route.name,
        )

    def get(  # type: ignore[override]
        self, path: str, *, right: Action | None, of: Of | None = None, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare a GET; see ``route``."""
        return self._declared("GET", path, (right, of), options)

    def post(  # type: ignore[override]
        self, path: str, *, right: Action | None, of: Of | None = None, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare a POST; see ``route``."""
        return self._declared("POST", path, (right, of), options)

    def put(  # type: ignore[override]
        self, path: str, *, right: Action | None, of: Of | None = None, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare a PUT; see ``route``."""
        return self._declared("PUT", path, (right, of), options)

    def patch(  # type: ignore[override]
        self, path: str, *, right: Action | None, of: Of | None = None, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare a PATCH; see ``route``."""
        return self._declared("PATCH", path, (right, of), options)

    def delete(  # type: ignore[override]
        self, path: str, *, right: Action | None, of: Of | None = None, **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare a DELETE; see ``route``."""
        return self._declared("DELETE", path, (right, of), options)

    def _declared(
        self,
        method: str,
        path: str,
        needed: tuple[Action | None, Of | None],
        options: dict[str, Any],
    ) -> Callable[[Handler], Handler]:
        """A route with its right as a dependency, and named in the document.

        ``right`` is ANYONE for routes without a token. ``idempotent`` says whether a
        write honours ``Idempotency-Key``, ``refusals`` are codes beyond those that
        every request can be refused with, ``takes_token=False`` is for routes that
        read the Authorization header themselves, ``audited=False`` is for requests
        that are not an act of a person, ``any_query`` for addresses to which others
        add parameters, ``streamed`` for handlers that read a large body themselves
        (``request_body``), once the right is known; they take no key. Other options
        are those of FastAPI's decorators.
        """
        right, of = needed
        check: Callable[..., Awaitable[Any]] = caller_of
        if not options.pop("takes_token", True):
            check = count_address
        if right is not None and right not in PUBLIC:
            check = may(right, of or OF[right])
        # In this order, so that a key reveals nothing to a caller without the right.
        first = [Depends(check)]
        is_streamed = options.pop("streamed", False)
        takes_key = options.pop("idempotent", True) and not is_streamed
        if takes_key and method in IDEMPOTENT_METHODS:
            first.append(Depends(claim_caller_key))
        options["dependencies"] = [*first, *options.get("dependencies", [])]
        extra = {
            RIGHT: right.value if right is not None else "anyone",
            RIGHT_OF: of or ("" if right is None else OF[right]),
            REFUSALS: list(options.pop("refusals", ())),
            AUDITED: options.pop("audited", self._audited),
            ANY_QUERY: options.pop("any_query", False),
            STREAMED: is_streamed,
        }
        options["openapi_extra"] = extra | options.get("openapi_extra", {})
        return self.api_route(path, methods=[method], **options)


async def request_body(request: Request, limit: int) -> bytes:
    """The body of a ``streamed`` route.

    Raises:
        TooLarge, InvalidRequest: as ``bounded_body``.
    """
    declared = request.headers.get("content-length")
    return await bounded_body(declared, request.receive, limit)


async def _with_body(request: Request) -> Request:
    """The request with its body read already: FastAPI would read it without a bound.

    Raises:
        TooLarge, InvalidRequest: as ``bounded_body``.
    """
    gate: RequestGate = request.app.state.gate
    declared = request.headers.get("content-length")
    whole = await bounded_body(declared, request.receive, gate.body_bytes_max)
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            return await request.receive()  # whether the caller has left
        is_read = True
        return {"type": "http.request", "body": whole, "more_body": False}

    return Request(request.scope, receive)


async def _refused(request: Request, error: Exception, action: str, right: str) -> None:
    """Settle the key of a request that failed, and audit it.

    Without an ``action`` only what is refused to staff about a patient is audited.
    """
    if isinstance(error, RequestValidationError | HTTPException):
        await settle(request, None)
        return  # refused before it was an act of anyone
    problem = of_error(error)
    await settle(request, problem_reply(problem))
    what = action or right
    if await audit_refusal(request, what, problem.status, problem.code):
        return
    if action:
        await audited(request, action, problem.status, problem.code)


def _query_names(dependant: Dependant) -> set[str]:
    """Query parameters of a route and of all that it depends on."""
    names: set[str] = set()
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names.update(model.model_fields)
        else:
            names.add(parameter.alias)
    for inner in dependant.dependencies:
        names |= _query_names(inner)
    return names
