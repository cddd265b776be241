"""Are the answers those of one calendar, whatever the log says? Wing, Gong and Lowe.

Only what people saw is used: when they asked, when they heard, and what. Operations
on one provider's time must have an order that agrees with real time and in which each
answer is right for a calendar that gives each minute once. Unanswered ones may have
happened at any time after they were asked, or never. A hold may end by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from actors.domain.messages.answers import BookingView, HoldView
from actors.domain.messages.refusals import Refusal, RefusalCode
from tests.simulation.history import OK, REFUSED, UNKNOWN, Operation
from tests.simulation.kernel import Violation
from tests.simulation.region import GROUP, PAIR

NEVER = 1 << 62
CONFIGURATIONS_MAX = 60_000
"""Beyond this the search gives up without a verdict: bounded time per run."""

Span = tuple[int, int]
State = frozenset[tuple[str, Span, bool]]
"""Who has what: (booking or hold id, busy span, whether it may end by itself)."""


@dataclass(frozen=True)
class Step:
    """An operation in plain terms: take a span, give one back, or find it taken."""

    asked: int
    heard: int
    effect: str
    name: str
    span: Span
    certain: bool
    instead_of: str = ""
    beside: str = ""
    """The visit that a hold is to move: it may meet its time."""


def _busy(view: HoldView | BookingView) -> Span:
    padding = 10 if view.visit_type == "long" else 0
    return view.start - padding, view.end + padding


def steps_of(operations: list[Operation]) -> list[Step]:
    """The operations on one provider's time that say something about it."""
    steps: list[Step] = []
    for operation in _once(operations):
        heard = NEVER if operation.done is None else operation.done
        step = None
        if operation.outcome == OK and operation.kind == "book_many":
            steps += _accepted_many(operation, heard)
        elif operation.outcome == OK:
            step = _accepted(operation, heard)
        elif operation.outcome == REFUSED:
            step = _refused(operation, heard)
        elif operation.outcome == UNKNOWN and operation.kind in ("cancel", "call_off"):
            step = Step(
                operation.invoked, NEVER, "give", operation.subject, (0, 0), False
            )
        if step is not None:
            steps.append(step)
    return steps


def _once(operations: list[Operation]) -> list[Operation]:
    """What was asked again with the same key is one: asked at first, heard at last.

    It heard what the first did; if that heard nothing, what it heard counts.
    """
    found: dict[tuple[str, int], Operation] = {}
    for operation in operations:
        name = (operation.key, operation.fingerprint)
        first = found.get(name)
        if first is None:
            found[name] = operation
        elif first.outcome == UNKNOWN and operation.outcome != UNKNOWN:
            found[name] = replace(operation, invoked=first.invoked)
    return list(found.values())


def _accepted(operation: Operation, heard: int) -> Step | None:
    answer = operation.answer
    asked = operation.invoked
    if operation.kind == "hold":
        return Step(
            asked,
            heard,
            "hold",
            answer.hold_id,
            _busy(answer),
            True,
            beside=answer.moving or "",
        )
    if operation.kind in ("book", "confirm"):
        held = operation.subject if operation.kind == "confirm" else ""
        return Step(asked, heard, "book", answer.booking_id, _busy(answer), True, held)
    if operation.kind in ("cancel", "call_off"):
        return Step(asked, heard, "give", answer.booking_id, (0, 0), True)
    if operation.kind == "move":
        name = answer.booking_id
        return Step(asked, heard, "move", name, _busy(answer), True, name)
    if operation.kind == "release":
        return Step(asked, heard, "give", operation.subject, (0, 0), True)
    return None


def _accepted_many(operation: Operation, heard: int) -> list[Step]:
    """A step for each visit; that they happened as one is judged by the log."""
    last = operation.answer
    commands: list[Any] = [attempt.command for attempt in operation.attempts]
    made = next(one for one in commands if one.booking_ids[-1] == last.booking_id)
    length, padding = last.end - last.start, _busy(last)[1] - last.end
    return [
        Step(
            operation.invoked,
            heard,
            "book",
            name,
            (start - padding, start + length + padding),
            True,
        )
        for name, start in zip(made.booking_ids, made.starts, strict=True)
    ]


def _refused(operation: Operation, heard: int) -> Step | None:
    if operation.kind not in ("hold", "book"):
        return None
    answer = operation.answer
    assert isinstance(answer, Refusal)
    if answer.code is not RefusalCode.SLOT_UNAVAILABLE:
        return None
    start, length, padding = int(operation.subject), 30, 0
    if operation.attempts[0].command.visit_type == "long":  # type: ignore[union-attr]
        length, padding = 40, 10
    span = (start - padding, start + length + padding)
    return Step(operation.invoked, heard, "taken", "", span, True)


def _meet(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _after(state: State, step: Step) -> State | None:
    """The state after a step, None if the step cannot happen now."""
    if step.effect == "give":
        kept = frozenset(owned for owned in state if owned[0] != step.name)
        return kept if len(kept) < len(state) or not step.certain else None
    meeting = [
        owned
        for owned in state
        if _meet(owned[1], step.span) and not (step.beside and owned[0] == step.beside)
    ]
    if step.effect == "taken":
        return state if meeting else None
    # What it replaces gives way, and so does any hold: it may have expired.
    gone = [o for o in state if o[0] == step.instead_of]
    gone += [o for o in meeting if o[2] and o not in gone]
    if step.effect == "move" and not any(o[0] == step.name for o in gone):
        return None
    if any(o not in gone for o in meeting):
        return None
    return state.difference(gone) | {(step.name, step.span, step.effect == "hold")}


def check_linearizable(provider: str, operations: list[Operation]) -> None:
    """Raise Violation unless some order explains every answer."""
    if any(map(_shares_time, operations)):
        return  # a minute may have several owners then; the log's judge counts them
    unknown = {o.kind for o in operations if o.outcome == UNKNOWN}
    if "move" in unknown:
        return  # from outside it cannot be said which owner has which time
    steps = steps_of(operations)
    # A hold of a group is placed by no step: its end says nothing about the others.
    held = {step.name for step in steps if step.effect == "hold"}
    steps = [one for one in steps if one.name in held or not _ends_hold(one)]
    waits = any(o.kind in ("waiting", "member_hold") for o in operations)
    if waits or unknown & {"hold", "book", "book_many", "confirm"}:
        # An unacknowledged booking, a group or the waiting list may hold the time:
        # "taken" then proves nothing.
        steps = [step for step in steps if step.effect != "taken"]
    if not explained(sorted(steps, key=lambda step: step.asked)):
        told = "\n".join(map(str, steps))
        raise Violation(f"no order explains what people heard of {provider}:\n{told}")


def _shares_time(operation: Operation) -> bool:
    """Whether it is about a seat of a group visit, or about overbooking."""
    command = operation.attempts[0].command
    kind = getattr(command, "visit_type", "")
    return operation.kind == "overbook" or kind in (GROUP, PAIR)


def _ends_hold(step: Step) -> bool:
    return step.effect == "give" and step.name.startswith("hld_")


def explained(steps: list[Step]) -> bool:
    """Whether some order of the steps, sorted by when they were asked, is possible."""
    needed = sum(1 << at for at, step in enumerate(steps) if step.certain)
    nothing: State = frozenset()
    seen = {(0, nothing)}
    todo = [(0, nothing)]
    while todo:
        done, state = todo.pop()
        if done & needed == needed or len(seen) > CONFIGURATIONS_MAX:
            return True
        for at, step in _possible(steps, done):
            after = _after(state, step)
            reached = (done | 1 << at, after)
            if after is not None and reached not in seen:
                seen.add((done | 1 << at, after))
                todo.append((done | 1 << at, after))
    return False


def _possible(steps: list[Step], done: int) -> list[tuple[int, Step]]:
    """Steps that may come next: asked before any open one was heard."""
    still = [(at, step) for at, step in enumerate(steps) if not done >> at & 1]
    limit = min((step.heard for _, step in still), default=NEVER)
    return [(at, step) for at, step in still if step.asked <= limit]
