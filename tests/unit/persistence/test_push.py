"""Web Push against a service that decrypts and checks the sender."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import pytest
from aiohttp import web

from actors.domain.ids import BookingId, Minute, ProviderId
from care.jobs.jobs import JobError
from care.notices.messages import Channel, Message, MessageAbout, OutgoingMessage
from care.notices.push import PushSubscription, RecipientGone
from persistence.notices.push.courier import PushCourier
from persistence.notices.push.network import (
    PrivateAddress,
    PublicNetwork,
    connections,
)
from persistence.notices.push.sealing import PLAIN_BYTES_MAX, sealed
from persistence.notices.push.vapid import Vapid, public_text, vapid_key
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.push_service import Browser, PushService, push_service

KEY = vapid_key(b"k" * 32)
START = Minute(make.NOW // 60_000 + 90)


class Kept:
    """Subscriptions in memory."""

    def __init__(self) -> None:
        self.known: dict[str, PushSubscription] = {}

    async def add(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    async def remove(self, *_: Any) -> None:
        raise NotImplementedError

    async def find(self, subscription_id: str) -> PushSubscription | None:
        return self.known.get(subscription_id)

    async def drop(self, subscription_id: str) -> None:
        self.known.pop(subscription_id, None)


class Stage:
    """A courier before a service with one browser."""

    def __init__(
        self, service: PushService, pool: httpcore.AsyncConnectionPool
    ) -> None:
        self.service, self.kept, self.clock = service, Kept(), SteppedClock(make.NOW)
        service.public_key = public_text(KEY)
        service.now = make.NOW // 1000
        self.browser = service.browser("one")
        self.kept.known["psh_1"] = self.browser.subscription
        vapid = Vapid(KEY, "mailto:visits@clinic.test")
        self.courier = PushCourier(*(self.kept, vapid, pool, self.clock), is_open=True)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    pool = connections(is_open=True)
    async with push_service() as service, pool:
        yield Stage(service, pool)


def outgoing(to: str = "psh_1", text: str = "A visit was moved.") -> OutgoingMessage:
    about = MessageAbout("ntc_1", ProviderId("prv_1"), BookingId("bkg_1"), START)
    message = Message("rescheduled", to, "Slotcast", text, Channel.PUSH)
    return OutgoingMessage("ntc_1.x", message, make.NOW, about=about)


async def test_a_browser_reads_what_was_sealed_for_it(stage: Stage) -> None:
    """The service learns who sends, how long to keep it, and what replaces what."""
    for _ in range(2):
        assert await stage.courier.deliver(outgoing()) == ""
    (name, headers, message), again = stage.service.got
    assert (name, again[2]) == ("one", message)
    assert message == {
        "tag": "ntc_1",
        "title": "Slotcast",
        "body": "A visit was moved.",
        "page": "/me/notices",
    }
    assert (headers["TTL"], headers["Topic"]) == (str(90 * 60), "ntc_1")
    assert stage.service.shown() == {("one", "ntc_1"): "A visit was moved."}


async def test_tokens_are_renewed_before_they_end(stage: Stage) -> None:
    """The same for hours, and never one that the service takes as over."""
    for _ in range(40):
        await stage.courier.deliver(outgoing())
        stage.clock.step(3_600)
        stage.service.now += 3_600
    tokens = [headers["Authorization"] for _, headers, _ in stage.service.got]
    assert 6 <= len(set(tokens)) <= 8


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_is_removed(
    stage: Stage, status: int
) -> None:
    """It is not asked again."""
    stage.service.answers = [web.Response(status=status)]
    with pytest.raises(RecipientGone):
        await stage.courier.deliver(outgoing())
    assert not stage.kept.known
    with pytest.raises(RecipientGone):
        await stage.courier.deliver(outgoing())
    assert stage.service.got == []


@pytest.mark.parametrize(
    ("status", "final"),
    [(500, False), (503, False), (429, False), (413, True), (403, True), (301, True)],
)
async def test_refusals_are_retried_if_that_may_help(
    stage: Stage, status: int, *, final: bool
) -> None:
    """When the service says so, and within an hour."""
    for said, after_ms in (("7", 7_000), ("99999999", 3_600_000), ("soon", None)):
        headers = {"Retry-After": said, "Location": f"{stage.service.origin}/send/one"}
        stage.service.answers = [web.Response(status=status, headers=headers)]
        with pytest.raises(JobError) as error:
            await stage.courier.deliver(outgoing())
        assert not isinstance(error.value, RecipientGone)
        assert error.value.outcome.final is final
        assert error.value.outcome.after_ms == after_ms
        assert stage.browser.endpoint not in str(error.value)
    assert stage.kept.known
    assert stage.service.got == []


async def test_a_service_that_is_away_is_tried_again(stage: Stage) -> None:
    """Its address is in no error."""
    lost = Browser("http://127.0.0.1:1/send/secret")
    stage.kept.known["psh_2"] = lost.subscription
    with pytest.raises(JobError) as error:
        await stage.courier.deliver(outgoing("psh_2"))
    assert not error.value.outcome.final
    assert "secret" not in str(error.value)


async def test_keys_that_are_none_cost_one_message(stage: Stage) -> None:
    """A point that is not on the curve, and what is too long for a record."""
    bad = PushSubscription(stage.browser.endpoint, "B" + 86 * "A", 22 * "A")
    stage.kept.known["psh_2"] = bad
    with pytest.raises(RecipientGone):
        await stage.courier.deliver(outgoing("psh_2"))
    browser = stage.browser
    text = b'{"a":"' + b"x" * (PLAIN_BYTES_MAX - 8) + b'"}'
    body = sealed(browser.subscription, text)
    assert len(body) == 4_096
    assert len(browser.read(body)["a"]) == PLAIN_BYTES_MAX - 8
    with pytest.raises(ValueError, match="3993"):
        sealed(browser.subscription, b"x" * (PLAIN_BYTES_MAX + 1))


async def test_a_name_that_leads_into_this_network_is_not_followed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its address says: no connection is made, and the message is given up."""
    port = int(stage.service.origin.rpartition(":")[2])
    _resolve(monkeypatch, "93.184.216.34", "127.0.0.1")
    with pytest.raises(PrivateAddress):
        await PublicNetwork().connect_tcp("push.example.org", port, timeout=5)
    browser = Browser("https://push.example.org/send/one")
    stage.kept.known["psh_2"] = browser.subscription
    vapid = Vapid(KEY, "mailto:visits@clinic.test")
    async with connections(is_open=False) as pool:
        courier = PushCourier(stage.kept, vapid, pool, stage.clock)
        with pytest.raises(RecipientGone):
            await courier.deliver(outgoing("psh_2"))
        with pytest.raises(RecipientGone):
            await courier.deliver(outgoing("psh_1"))
    assert stage.service.got == []


async def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that leads elsewhere a moment later has no effect."""
    asked: list[tuple[str, int]] = []

    async def connect(_self: Any, host: str, port: int, *_: Any) -> Any:
        asked.append((host, port))

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    _resolve(monkeypatch, "93.184.216.34")
    await PublicNetwork().connect_tcp("push.example.org", 443, timeout=5)
    assert asked == [("93.184.216.34", 443)]
    with pytest.raises(PrivateAddress):
        await PublicNetwork().connect_unix_socket("/run/docker.sock")


def _resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def resolve(_host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        kind = socket.AF_INET, socket.SOCK_STREAM, 6, ""
        return [(*kind, (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def test_a_site_has_one_key() -> None:
    """The same secret gives the same pair, another one another."""
    assert public_text(vapid_key(b"k" * 32)) == public_text(KEY)
    assert public_text(vapid_key(b"l" * 32)) != public_text(KEY)
    assert public_text(vapid_key(b"\xff" * 32))
