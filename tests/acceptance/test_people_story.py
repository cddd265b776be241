"""Newcomers at a demo site, from registering to the audit trail, over the wire alone.

The whole server with real processes. What people know is what the site tells them: the
secrets of mails come from the outgoing messages that a demo shows.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.fixtures.server import ServerProcess

pytestmark = pytest.mark.acceptance
PATIENCE_S = 60.0
PASSWORD = "violet kettle runs"
REASON = "a sore knee"
STEP_S = 30
_SECRET = re.compile(r"token=([A-Za-z0-9_-]+)")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ALL_DAY = {
    "locations": [
        {
            "time_zone": "UTC",
            "weekly": {day: [{"opens": "08:00", "closes": "20:00"}] for day in _DAYS},
        }
    ],
    "visit_types": [{"visit_type": "consult", "title": "Consult", "minutes": 30}],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as made:
        yield made


class Person:
    """One who uses the site with a browser's or program's requests."""

    def __init__(self, server: ServerProcess, email: str = "") -> None:
        self.server = server
        self.email = email
        self.signed: dict[str, Any] = {}
        self._app: pyotp.TOTP | None = None

    @classmethod
    def of_the_demo(cls, server: ServerProcess, persona: str) -> Person:
        """One of the demo region's people, by one click."""
        made = cls(server)
        body = {"persona": persona, "delivery": "body"}
        made.signed = made.ask("POST", "/v1/auth/demo", body)
        return made

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request, with the access token if there is one."""
        headers = {}
        if self.signed:
            headers["Authorization"] = f"Bearer {self.signed['access_token']}"
        url = self.server.url + path
        return httpx.request(method, url, json=body, headers=headers, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a request that succeeds."""
        answer = self.send(method, path, body)
        assert answer.status_code < 300, f"{path}: {answer.text}"
        return answer.json() if answer.content else None

    # --- signing in ---

    def secret_of(self, kind: str) -> str:
        """The secret in the newest message of a kind that the site sent them."""
        messages = self.ask("GET", "/v1/auth/demo/messages")["items"]
        (text, *_) = [
            one["text"]
            for one in messages
            if (one["recipient"], one["kind"]) == (self.email, kind)
        ]
        found = _SECRET.search(text)
        assert found is not None, text
        return found[1]

    def register(self) -> None:
        """Register, and confirm the address with the message's link."""
        body = {"email": self.email, "password": PASSWORD, "terms": True}
        self.ask("POST", "/v1/auth/register", body)
        token = {"token": self.secret_of("verify_email")}
        assert self.ask("POST", "/v1/auth/verify-email", token)["status"] == "verified"

    def password(self, context: str | None = None) -> dict[str, Any]:
        """Sign in with the password; what the site answers."""
        self.signed = {}
        body = {"email": self.email, "password": PASSWORD, "delivery": "body"}
        if context:
            body["context"] = context
        answer: dict[str, Any] = self.ask("POST", "/v1/auth/login", body)
        return answer

    def add_app(self, where: str) -> dict[str, Any]:
        """Add an authenticator app below this path; the answer to its first code."""
        begun = self.ask("POST", f"{where}/totp", {})
        self._app = pyotp.TOTP(begun["secret"])
        code = {"code": self._app.at(int(time.time()))}
        path = f"{where}/{begun['factor_id']}/confirm"
        confirmed: dict[str, Any] = self.ask("POST", path, code)
        assert len(confirmed["recovery_codes"]) == 10
        return confirmed

    def sign_in_with_app(self, context: str | None = None) -> None:
        """Password and code. The code is the next one: each works once."""
        waiting = self.password(context)
        assert waiting["status"] == "second_factor"
        assert "access_token" not in waiting
        assert self._app is not None
        code = {"code": self._app.at(int(time.time()) + STEP_S)}
        self.signed = self.ask("POST", f"/v1/auth/flows/{waiting['flow']}/totp", code)

    def enrol(self, context: str) -> None:
        """Sign in to a role that needs a second factor, adding it on the way."""
        waiting = self.password(context)
        assert waiting["status"] == "enrol_second_factor"
        self.signed = self.add_app(f"/v1/auth/flows/{waiting['flow']}/factors")
        role, _, subject = context.partition(" ")
        assert self.signed["context"]["role"] == role
        assert self.signed["context"]["subject"] == subject

    def refresh(self) -> None:
        """Go on with the session."""
        body = {"active": True, "refresh_token": self.signed["refresh_token"]}
        self.signed = self.ask("POST", "/v1/auth/refresh", body)

    @property
    def account(self) -> str:
        """The id of their account."""
        return str(self.ask("GET", "/v1/me")["account_id"])

    # --- the live socket ---

    @contextmanager
    def live(self, *topics: str) -> Iterator[ClientConnection]:
        """A live socket, signed in, that watches these topics."""
        address = f"ws://127.0.0.1:{self.server.port}/v1/live"
        with connect(address, subprotocols=[Subprotocol("slotcast.v1")]) as live:
            say(live, {"op": "auth", "id": 1, "token": self.signed["access_token"]})
            assert heard(live, "result")["status"] == 200
            say(live, {"op": "subscribe", "id": 2, "topics": list(topics)})
            assert heard(live, "result")["status"] == 200
            yield live


def say(live: ClientConnection, message: dict[str, Any]) -> None:
    live.send(json.dumps(message))


def heard(live: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of a kind."""
    while True:
        frame: dict[str, Any] = json.loads(live.recv(timeout=PATIENCE_S))
        assert frame["t"] != "error", frame
        if frame["t"] == kind:
            return frame


def heard_booking(live: ClientConnection, kind: str, booking_id: str) -> dict[str, Any]:
    """A booking, from the first frame of a kind that has it."""
    while True:
        for one in heard(live, kind)["bookings"]:
            if one["booking_id"] == booking_id:
                return dict(one)


def close_code(live: ClientConnection) -> tuple[list[str], int]:
    """Kinds of frames up to the end of a connection, and its close code."""
    kinds: list[str] = []
    while True:
        try:
            kinds.append(json.loads(live.recv(timeout=PATIENCE_S))["t"])
        except ConnectionClosed as closed:
            return kinds, closed.rcvd.code if closed.rcvd else 0


def until(holds: Callable[[], bool], missing: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, missing()
        time.sleep(0.5)


def becomes_doctor(doctor: Person, admin: Person, clinic: str) -> str:
    """Apply, be approved by the clinic, sign in with a factor, open; the provider."""
    doctor.register()
    doctor.signed = doctor.password()
    application = {
        "clinic_id": clinic,
        "name": "Dr. Ada Weiß",
        "specialty": "Cardiology",
        "country": "DE",
        "licence": "LANR 123456789",
    }
    made = doctor.ask("POST", "/v1/me/applications", application)
    queue = admin.ask("GET", f"/v1/clinics/{clinic}/applications")["items"]
    assert [one["application_id"] for one in queue] == [made["application_id"]]
    path = f"/v1/clinics/{clinic}/applications/{made['application_id']}/approve"
    assert admin.ask("POST", path)["status"] == "approved"
    provider = str(made["provider_id"])
    doctor.enrol(f"doctor {provider}")
    doctor.ask("PUT", f"/v1/providers/{provider}/availability", ALL_DAY)
    return provider


def becomes_receptionist(person: Person, admin: Person, clinic: str) -> str:
    """Be invited, accept, sign in with a factor; the membership."""
    person.register()
    offer = {"email": person.email, "role": "staff"}
    admin.ask("POST", f"/v1/clinics/{clinic}/invitations", offer)
    person.signed = person.password()
    token = {"token": person.secret_of("invitation")}
    assert person.ask("POST", "/v1/invitations/accept", token)["clinic_id"] == clinic
    person.enrol(f"staff {clinic}")
    members = admin.ask("GET", f"/v1/clinics/{clinic}/members")["items"]
    (mine,) = [one for one in members if one["account_id"] == person.account]
    return str(mine["membership_id"])


def becomes_patient(person: Person) -> str:
    """Register, turn a second factor on and sign in with it; the patient."""
    person.register()
    person.signed = person.password()
    person.add_app("/v1/auth/factors")
    person.ask("POST", "/v1/auth/logout", {"everywhere": False})
    person.sign_in_with_app()
    return str(person.signed["context"]["subject"])


def a_start(days: int) -> str:
    """Noon so many days ahead."""
    day: date = datetime.now(UTC).date() + timedelta(days=days)
    return f"{day.isoformat()}T12:00:00Z"


def trail_of(auditor: Person, **wanted: str) -> list[dict[str, Any]]:
    """Entries that a search finds; at most a page."""
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    items: list[dict[str, Any]] = auditor.ask("GET", f"/v1/audit?{query}")["items"]
    return items


def is_heard_and_ends(
    mira: Person, ada: Person, eve: Person, provider: str, remove: Callable[[], Any]
) -> dict[str, Any]:
    """Mira books; ada and eve hear it; eve is removed, and her socket alone closed."""
    wanted = {"provider_id": provider, "visit_type": "consult", "start": a_start(3)}
    schedule = f"schedule/{provider}"
    with ada.live(schedule) as doctors, eve.live(schedule) as reception:
        for live in (doctors, reception):
            heard(live, "snapshot")
        sent = wanted | {"reason": REASON}
        booked: dict[str, Any] = mira.ask("POST", "/v1/bookings", sent)
        for live in (doctors, reception):
            change = heard_booking(live, "delta", booked["booking_id"])
            assert change["patient_id"] == booked["patient_id"]
            assert change["reason"] == REASON
        remove()
        kinds, code = close_code(reception)
        assert (kinds[-1], code) == ("bye", 4501)
        say(doctors, {"op": "ping", "id": 3})
        heard(doctors, "pong")
    return booked


def check_nothing_is_lost(
    mira: Person, ada: Person, eve: Person, booked: dict[str, Any]
) -> None:
    """What was done is there, and what was taken back stays so."""
    mine = mira.ask("GET", f"/v1/bookings/{booked['booking_id']}")
    assert (mine["status"], mine["reason"]) == ("booked", REASON)
    mira.refresh()
    mira.ask("GET", "/v1/me")
    schedule = f"/v1/providers/{booked['provider_id']}/schedule"
    assert eve.send("GET", schedule).status_code == 401
    eve.sign_in_with_app()
    assert {one["role"] for one in eve.signed["contexts"]} == {"patient"}
    assert eve.send("GET", schedule).status_code == 403
    with ada.live(f"schedule/{booked['provider_id']}") as live:
        shown = heard_booking(live, "snapshot", booked["booking_id"])
        assert (shown["status"], shown["reason"]) == ("booked", REASON)


def check_trail(
    auditor: Person, clinic: str, booked: dict[str, Any], accounts: dict[str, str]
) -> dict[str, Any]:
    """Every act is found, by its action and its actor; the entry of the booking."""
    mira, ada, eve, admin = (accounts[name] for name in ("mira", "ada", "eve", "admin"))
    acts = {
        ("register", "site", ""),
        ("verify_email", "site", ""),
        ("confirm_factor", "site", mira),
        ("flow_totp", "site", mira),
        ("apply_as_doctor", clinic, ada),
        ("decide_application", clinic, admin),
        ("register_provider", clinic, admin),
        ("set_availability", clinic, ada),
        ("invite_member", clinic, admin),
        ("accept_invitation", clinic, eve),
        ("book", clinic, mira),
        ("remove_member", clinic, admin),
    }
    missing = set(acts)

    def is_all_there() -> bool:
        for action, tenant, actor in tuple(missing):
            if trail_of(auditor, action=action, tenant=tenant, actor=actor):
                missing.discard((action, tenant, actor))
        return not missing

    until(is_all_there, lambda: f"not in the trail: {sorted(missing)}")
    (entry,) = trail_of(auditor, person=booked["patient_id"], action="book")
    assert entry["body"]["booking_id"] == booked["booking_id"]
    assert REASON not in json.dumps(entry)
    return entry


def check_a_changed_row_is_found(
    server: ServerProcess, auditor: Person, entry: dict[str, Any]
) -> None:
    """The trail is whole for both who verify it, and after an edit for none."""
    assert auditor.ask("GET", "/v1/audit/verify")["ok"]
    whole = server.run("audit", "verify")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    with closing(sqlite3.connect(server.data / "records.db")) as records, records:
        records.execute("PRAGMA busy_timeout = 60000")
        changed = records.execute(
            "UPDATE audit_entry SET actor = 'acc_nobody' WHERE tenant = ? AND seq = ?",
            (entry["tenant"], entry["seq"]),
        )
        assert changed.rowcount == 1
    bad = {"tenant": entry["tenant"], "seq": entry["seq"], "fault": "changed"}
    answer = auditor.ask("GET", "/v1/audit/verify")
    assert (answer["ok"], answer["first_bad"]) == (False, bad)
    found = server.run("audit", "verify", "--json")
    assert (found.returncode, json.loads(found.stdout)["bad"]) == (1, [bad])


def test_newcomers_book_hear_leave_and_are_in_the_trail(server: ServerProcess) -> None:
    """A patient with a second factor books; an approved doctor hears it; a removed
    receptionist's socket is closed. kill -9: all of it is there, tokens that were taken
    back stay so, the trail has every act and verifies, and a changed row is found."""
    server.start()
    admin = Person.of_the_demo(server, "clinic_admin")
    clinic = str(admin.signed["context"]["subject"])
    mira, ada, eve = (
        Person(server, f"{name}@example.org") for name in ("mira", "ada", "eve")
    )
    provider = becomes_doctor(ada, admin, clinic)
    membership = becomes_receptionist(eve, admin, clinic)
    patient = becomes_patient(mira)
    people = {"mira": mira, "ada": ada, "eve": eve, "admin": admin}
    accounts = {name: one.account for name, one in people.items()}
    member = f"/v1/clinics/{clinic}/members/{membership}"

    booked = is_heard_and_ends(
        mira, ada, eve, provider, lambda: admin.ask("DELETE", member)
    )
    assert booked["patient_id"] == patient
    server.kill()
    server.start()

    check_nothing_is_lost(mira, ada, eve, booked)
    auditor = Person.of_the_demo(server, "auditor")
    entry = check_trail(auditor, clinic, booked, accounts)
    check_a_changed_row_is_found(server, auditor, entry)
    assert server.stop() == 0
