"""Waiting lists: their workers, which know what the read model's outbox says.

Two workers may serve one list, as when a claim ran out while its worker lived on. The
order in which patients are asked is the list's, one for each slot.
"""

from __future__ import annotations

import random
import zlib
from typing import Any

from actors.domain.ids import HoldId, Millis, Minute, ProviderId
from actors.domain.messages import commands as cm
from actors.domain.messages.answers import HoldView
from actors.domain.messages.reads import ReadHold
from actors.domain.rules import Waiting
from tests.simulation.history import Operation
from tests.simulation.people import Person
from tests.simulation.region import GROUP, LONG, SHORT

OFFER_MS = (500, 3_000, 9_000)


def ranking(hold: str, patients: int) -> list[int]:
    """Who is asked for a slot, in order: numbers of patients, not all of them."""
    rng = random.Random(zlib.crc32(hold.encode()))
    order = list(range(patients))
    rng.shuffle(order)
    return order[: rng.randrange(1, patients + 1)]


class Lister(Person):
    """A worker of the waiting list of one provider."""

    def __init__(
        self,
        *args: Any,
        provider: ProviderId,
        patients: list[Any],
        starts: list[int],
        rng: random.Random,
    ) -> None:
        super().__init__(*args)
        self.provider = provider
        self.patients = patients
        self.starts = starts
        self.rng = rng
        self.over: set[str] = set()

    def wish(self) -> bool:
        if self.made == 0 or self.rng.random() < 0.06:
            return self._wait()
        known = [one for one in self._freed() if one not in self.over]
        if not known:
            return False
        return self._look(HoldId(self.rng.choice(known)))

    def _freed(self) -> list[str]:
        """Slots that were reserved, as far as the read model tells."""
        return [
            row.payload["hold_id"]
            for row in self.desk.model.outbox.values()  # type: ignore[attr-defined]
            if row.kind == "slot.freed" and row.payload["provider_id"] == self.provider
        ]

    def _wait(self) -> bool:
        rng = self.rng
        kinds = rng.choice(((SHORT,), (SHORT, LONG), (LONG,), (SHORT,)))
        if self.patients[0].is_crowded and rng.random() < 0.7:
            kinds = rng.choice(((GROUP,), (GROUP, *kinds)))
        first = Minute(self.starts[0] - rng.choice((0, 0, -60)))
        until = Minute(first + rng.choice((120, 24 * 60)))
        waiting: Waiting | None = Waiting(kinds, first, until, rng.choice((1, 3, 9)))
        if self.made and rng.random() < 0.2:
            waiting = None

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.SetWaiting(waiting=waiting, **common)

        return self.want("waiting", self.provider, (waiting,), build)

    def _look(self, hold: HoldId) -> bool:
        def answered(reply: Any) -> None:
            if isinstance(reply, HoldView):
                self._serve(reply)
            elif reply is not None:
                self.over.add(hold)

        self.desk.ask(ReadHold(self.provider, hold), answered)
        self._soon()
        return True

    def _serve(self, hold: HoldView) -> None:
        """Offer a slot to the next patient; give it up if none is left.

        Now and then it is given up at once, as by staff who see it in their list.
        """
        if self.rng.random() < 0.15:
            self._give_up(hold.hold_id)
            return
        if hold.patient_id:
            return
        order = ranking(hold.hold_id, len(self.patients))
        if hold.offers >= len(order):
            self._give_up(hold.hold_id)
        else:
            self._offer(hold, order[hold.offers])

    def _offer(self, hold: HoldView, number: int) -> None:
        patient = self.patients[number]
        lasts, turn = self.rng.choice(OFFER_MS), hold.offers

        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.OfferHold(
                hold_id=hold.hold_id,
                patient_id=patient.patient,
                until=Millis(common["deadline"] + lasts),
                turn=turn,
                **common,
            )

        self.want("offer", self.provider, (hold.hold_id, turn), build)
        self.history.operations[-1].rank = turn

    def _give_up(self, hold: HoldId) -> None:
        def build(token: str, common: dict[str, Any]) -> cm.Command:
            return cm.ReleaseHold(hold_id=hold, owner=None, **common)

        self.want("give_up", self.provider, (hold,), build)

    def heard(self, operation: Operation) -> None:
        answer = operation.answer
        if isinstance(answer, HoldView):
            for patient in self.patients:
                if patient.patient == answer.patient_id:
                    patient.told_of(answer)
