"""How long a visit takes a room or a piece of equipment, as a visit type of theirs.

Resources offer no visit types of their own: a visit of any length may need them, with
its buffers. So a member of a visit is held as the visit type ``<buffer before>+
<minutes>+<buffer after>``, which its calendar understands without a rule. No client can
send such an id: on the wire the ids of visit types have no ``+``.
"""

from __future__ import annotations

import re
from typing import Final

from actors.domain.ids import VisitTypeId
from actors.domain.rules import VisitType

MINUTES_MAX: Final = 24 * 60
"""The longest visit, and the longest buffer (validation.py)."""
HORIZON: Final = 550 * 24 * 60
"""As far ahead as anything can be booked (validation.py)."""

_SPAN = re.compile(r"([0-9]{1,4})\+([0-9]{1,4})\+([0-9]{1,4})", re.ASCII)


def span_type(rule: VisitType) -> VisitTypeId:
    """The visit type by which a resource is held for a visit of this one."""
    parts = (rule.buffer_before, rule.minutes, rule.buffer_after)
    return VisitTypeId("+".join(map(str, parts)))


def span_rule(visit_type: VisitTypeId, cell: int) -> VisitType | None:
    """The rule of such a visit type; None: it is none, or not whole cells.

    Its starts are those of the provider, so that any cell may be one; notice and
    horizon are the provider's to keep.
    """
    found = _SPAN.fullmatch(visit_type)
    if found is None:
        return None
    before, minutes, after = map(int, found.groups())
    lengths = (before, minutes, after)
    if not minutes or any(one % cell or one > MINUTES_MAX for one in lengths):
        return None
    return VisitType(
        visit_type=visit_type,
        title="",
        minutes=minutes,
        buffer_before=before,
        buffer_after=after,
        alignment=cell,
        notice=0,
        horizon=HORIZON,
    )
