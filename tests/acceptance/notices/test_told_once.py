"""People are told of visits once, whatever is killed: a whole site with real receivers.

Visits are booked, moved and cancelled over REST while worker, projector, mail server
and the services of phones and browsers are killed. Then the clock goes on to each
day's reminders.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from tests.acceptance.notices.judging import Sent, Visit, judge, leaked, reminded
from tests.acceptance.notices.site import (
    FORBIDDEN,
    PUBLIC,
    REASON,
    RECORDS,
    SLOTS,
    VISIT_TYPE,
    WHY_CANCELLED,
    NoticesSite,
    notices_site,
    provider_of,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

SEED = 13
PEOPLE, PROVIDERS = 6, 20
GROUPS, LAST_GROUP = (0, 1), 2
VISITS_OF_EACH = 10
CANCELLED_LATE = 4
LIVES = 5
"""Of workers that are killed while visits are booked."""
HOUR_S = 3_600
NAMES_OF_XML = "www.w3.org"
"""In the pages of mails; no link."""
_LINK = re.compile(r"https?://[^\s\"'<>)]+")


Step = tuple[str, datetime | None]


@dataclass
class Plan:
    """What is still to be done of a visit: None books or cancels, a start moves."""

    provider: str
    patient: str
    start: datetime
    steps: list[Step]
    visit: Visit | None = None


def plans(chance: Random, site: NoticesSite) -> list[Plan]:
    """Visits of all doctors; what is moved finds its time free."""
    found = []
    for number in range(PROVIDERS):
        free = [site.start(group, slot) for group in GROUPS for slot in range(SLOTS)]
        chance.shuffle(free)
        starts, spare = free[:VISITS_OF_EACH], free[VISITS_OF_EACH:]
        for start in starts:
            patient = chance.choice(site.patients)
            plan = Plan(provider_of(number), patient, start, [("book", None)])
            if spare and chance.random() < 0.45:
                plan.steps.append(("move", spare.pop()))
                if chance.random() < 0.4:
                    plan.steps.append(("move", start))
            if chance.random() < 0.3:
                plan.steps.append(("cancel", None))
            found.append(plan)
    return found


class Story:
    """The visits of a site, and what is to be done of them."""

    def __init__(self, site: NoticesSite, chance: Random) -> None:
        self.site, self.chance = site, chance
        self.open = plans(chance, site)
        self.visits: dict[str, Visit] = {}
        self.total = sum(len(plan.steps) for plan in self.open)

    def go_on(self, steps: int) -> None:
        """Do so many steps, of visits at random; those of one visit in order."""
        for _ in range(steps):
            if not self.open:
                return
            plan = self.chance.choice(self.open)
            self._step(plan, *plan.steps.pop(0))
            if not plan.steps:
                self.open.remove(plan)

    def _step(self, plan: Plan, what: str, start: datetime | None) -> None:
        visit, ask = plan.visit, self.site.ask
        if visit is None:
            wanted = {
                "provider_id": plan.provider,
                "visit_type": VISIT_TYPE,
                "start": plan.start.isoformat(),
                "patient_id": plan.patient,
                "reason": REASON,
            }
            booking = ask("POST", "/v1/bookings", wanted)["booking_id"]
            plan.visit = self.visits[booking] = Visit(booking, plan.start)
        elif what == "move":
            assert start is not None
            path = f"/v1/bookings/{visit.booking}/reschedule"
            ask("POST", path, {"start": start.isoformat()})
            visit.start = start
        else:
            self.cancel(visit)

    def cancel(self, visit: Visit) -> None:
        """Cancel a visit; the next worker knows nothing older."""
        path = f"/v1/bookings/{visit.booking}/cancel"
        self.site.ask("POST", path, {"reason": WHY_CANCELLED})
        visit.is_cancelled = True

    def workers_know(self) -> None:
        """No worker lives: what was cancelled up to now, the next one is told."""
        now = self.site.count()
        for visit in self.visits.values():
            if visit.is_cancelled and not visit.quiet_from:
                visit.quiet_from = now

    def is_told(self) -> bool:
        """Whether the records have the last of each visit."""
        query = "SELECT booking_id, start_minute, is_over FROM told_visit"
        told = {one[0]: one[1:] for one in self.site.rows(RECORDS, query)}
        return all(
            told.get(visit.booking)
            == (int(visit.start.timestamp()) // 60, visit.is_cancelled)
            for visit in self.visits.values()
        )

    def settle(self) -> None:
        """Let a worker that is not killed do what is left."""
        with self.site.worker():
            self.until_settled()

    def until_settled(self) -> None:
        """Wait until the living worker has told of everything."""
        site = self.site
        site.until(lambda: self.is_told() and site.is_idle(), "all is told")
        site.until(site.receivers["sms"].all_reported, "phones")
        self.workers_know()

    def judged(self) -> list[str]:
        """What is wrong with what came so far."""
        sent, known = self.site.sent(), self.site.known()
        return [*judge(sent, known, self.visits), *leaked(sent, FORBIDDEN)]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder: Path = tmp_path_factory.mktemp("notices")
    with notices_site(folder, PEOPLE, PROVIDERS) as site:
        yield Story(site, Random(SEED))


def test_each_thing_is_told_once_whatever_is_killed(story: Story) -> None:
    """Each booking, kind and version reaches each person once by Message-ID, tag and
    message to a phone, in order, and the last is how the visit is. Of a visit nothing
    else comes after its cancellation was acknowledged. No message says a specialty,
    a visit type or a reason."""
    site, chance = story.site, story.chance
    part = story.total // (2 * LIVES)
    for _ in range(LIVES):
        with site.worker():
            for _ in range(3):
                story.go_on(part // 3)
                for one in site.receivers.values():
                    if chance.random() < 0.3:
                        one.kill()
                if chance.random() < 0.4:
                    site.kill_projector()
                story.go_on(part // 6)
                site.raise_receivers(chance)
            site.until_taken(chance.randint(1, 60))
            for one in site.receivers.values():
                if chance.random() < 0.3:
                    one.kill()
        site.raise_receivers(chance)
        site.until(site.receivers["sms"].all_reported, "phones")
        story.go_on(part // 3)
        story.workers_know()
    story.go_on(story.total)
    story.workers_know()
    story.settle()
    assert len(story.visits) == PROVIDERS * VISITS_OF_EACH
    assert story.judged() == []


def test_an_hour_without_a_mail_server_loses_nothing(story: Story) -> None:
    """What phones and browsers are told comes meanwhile. When the server is back all
    mails come, in order for each booking."""
    site, chance = story.site, story.chance
    before = site.count()["mail"]
    site.receivers["mail"].kill()
    spare = [site.start(LAST_GROUP, slot) for slot in range(SLOTS)]
    done: list[tuple[datetime, list[Step]]] = [
        (spare[0], [("move", spare[1]), ("move", spare[0])]),
        (spare[2], [("move", spare[3])]),
        (spare[4], [("cancel", None)]),
    ]
    story.open = [
        Plan(
            *(provider_of(number), chance.choice(site.patients), start),
            [("book", None), *steps],
        )
        for number in range(PROVIDERS)
        for start, steps in done
    ]
    for _ in range(3):
        with site.worker():
            story.go_on(3 * PROVIDERS)
            site.until(
                lambda: (
                    not {"notices.deliver.sms", "notices.deliver.push"}
                    & site.pending().keys()
                    and story.is_told()
                ),
                "what goes by other ways",
            )
        story.workers_know()
        site.ahead_s += HOUR_S // 3
    assert site.count()["mail"] == before
    known = site.known()
    told = {
        known[one.message_id].booking for one in site.sent() if one.channel != "mail"
    }
    assert told == story.visits.keys()
    site.receivers["mail"].start()
    site.ahead_s += HOUR_S
    story.settle()
    assert story.judged() == []


def _paths(sent: list[Sent]) -> set[str]:
    """Where links in messages lead, without what browsers keep to themselves."""
    found = set()
    for one in sent:
        for link in _LINK.findall(one.body):
            parts = urlsplit(link)
            if parts.hostname == NAMES_OF_XML:
                continue
            assert f"{parts.scheme}://{parts.netloc}" == PUBLIC, link
            found.add((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return found


def test_links_show_and_only_a_post_acts(story: Story) -> None:
    """A GET of every link in every message changes nothing that people chose, were
    told or are sent; a POST of one stops its kind, and nothing else."""
    site = story.site
    tables = ("notice_preference", "notice", "outgoing_message", "told_visit", "job")

    def kept() -> list[object]:
        return [site.rows(RECORDS, f"SELECT * FROM {one}") for one in tables]

    before, paths = kept(), _paths(site.sent())
    stops = sorted(one for one in paths if one.startswith("/v1/unsubscribe/"))
    assert len(stops) > len(story.visits)
    for path in sorted(paths):
        assert site.send("GET", path).status_code == 200, path
    assert kept() == before
    person = site.people[0]
    person.signed = person.password()
    chosen = person.ask("GET", "/v1/preferences")
    mine = next(
        one
        for one in site.sent()
        if one.channel == "mail" and one.to == person.email and "/v1/unsub" in one.body
    )
    kind = site.known()[mine.message_id].kind
    (path,) = [one for one in _paths([mine]) if one.startswith("/v1/unsubscribe/")]
    assert site.send("POST", path).status_code == 200
    changed = person.ask("GET", "/v1/preferences")
    assert changed["channels"][kind]["mail"] is False
    changed["channels"][kind]["mail"] = True
    assert changed["channels"] == chosen["channels"]


def moments(site: NoticesSite) -> list[tuple[datetime, datetime]]:
    """When all reminders of a group's visits are due, a day and two hours before, and
    when its first visit begins; in order."""
    firsts = [site.start(group, 0) for group in (*GROUPS, LAST_GROUP)]
    return sorted(
        (first - before, first)
        for first in firsts
        for before in (timedelta(hours=21, minutes=30), timedelta(minutes=10))
    )


def test_reminders_come_once_and_never_of_a_cancelled_visit(story: Story) -> None:
    """A day and two hours before, on each channel, while workers are killed. The read
    model is behind when visits are cancelled: their calendars are asked."""
    site, chance = story.site, story.chance
    wanted: dict[str, int] = defaultdict(int)
    for moment, first in moments(site):
        site.later(moment)
        ahead = [
            one
            for one in story.visits.values()
            if first <= one.start < first + timedelta(hours=2) and not one.is_cancelled
        ]
        with site.projector_stopped():
            for visit in chance.sample(ahead, CANCELLED_LATE):
                story.cancel(visit)
                ahead.remove(visit)
            story.workers_know()
            for one in ahead:
                wanted[one.booking] += 1
            with site.worker():
                site.until_taken(chance.randint(1, 30))
            site.until(site.receivers["sms"].all_reported, "phones")
            site.start_worker()
            site.until(site.is_idle, "all reminders")
        story.until_settled()
        site.kill_worker()
    sent, known = site.sent(), site.known()
    for channel in ("mail", "sms", "push"):
        came = reminded(sent, known, channel)
        assert {one: len(ids) for one, ids in came.items()} == dict(wanted), channel
    assert story.judged() == []
