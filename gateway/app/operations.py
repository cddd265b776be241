"""Operations of the hot paths, and their routes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from starlette.routing import Route

from gateway.bookings.routes import operations as booking_operations
from gateway.directory.clinics.routes import operations as clinic_operations
from gateway.holds.routes import operations as hold_operations
from gateway.http.endpoint import Endpoint, Operation, RequestGate
from gateway.providers.routes import operations as provider_operations
from gateway.providers.staff_routes import operations as staff_operations
from gateway.providers.standing_routes import operations as standing_operations
from gateway.providers.watching_routes import operations as watching_operations
from gateway.services import Services


def all_operations(made: Services) -> list[Operation]:
    """Every REST operation; the most frequent first, for routes match in order."""
    return [
        *booking_operations(made.bookings, made.own_bookings, made.sessions),
        *hold_operations(made.holds),
        *provider_operations(made.search, made.providers),
        *watching_operations(),
        *staff_operations(made.providers),
        *standing_operations(made.standing),
        *clinic_operations(made.clinics),
    ]


def operation_routes(gate: RequestGate, declared: Sequence[Operation]) -> list[Route]:
    """One route for each path, whatever its methods."""
    by_path: dict[str, list[Operation]] = defaultdict(list)
    for operation in declared:
        by_path[operation.path].append(operation)
    return [Route(path, Endpoint(gate, ops)) for path, ops in by_path.items()]
