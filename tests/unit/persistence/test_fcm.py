"""Messages to apps against a service that checks the signature of who asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpcore
import pytest
from aiohttp import web
from msgspec import convert

from actors.domain.ids import BookingId, Minute, ProviderId
from care.jobs.jobs import JobError
from care.notices.messages import Channel, Message, MessageAbout, OutgoingMessage
from care.notices.push import RecipientGone, device_subscription, device_token, wrong_of
from persistence.notices.push.courier import PushCourier
from persistence.notices.push.fcm import (
    REST_MS,
    FcmSender,
    ServiceAccount,
    ServiceAccountWrong,
    service_account,
)
from persistence.notices.push.network import connections
from persistence.notices.push.vapid import Vapid, vapid_key
from tests import factories as make
from tests.fakes.clocks import SteppedClock
from tests.fixtures.fcm_service import FcmService, fcm_service, refusal
from tests.unit.persistence.test_push import Kept

DEVICE = "secret-token:APA91b" + "x" * 40
START = Minute(make.NOW // 60_000 + 90)


class Phones:
    """A courier before the service, with one app."""

    def __init__(self, service: FcmService, pool: httpcore.AsyncConnectionPool) -> None:
        self.service, self.kept, self.clock = service, Kept(), SteppedClock(make.NOW)
        service.now = make.NOW // 1000
        found = device_subscription(DEVICE)
        assert found is not None
        self.kept.known["psh_1"] = found
        account = convert(service.key_file(), ServiceAccount)
        self.sender = FcmSender(account, self.kept, pool, self.clock, service.origin)
        vapid = Vapid(vapid_key(b"k" * 32), "mailto:visits@clinic.test")
        self.courier = PushCourier(
            self.kept, vapid, pool, self.clock, devices=self.sender, is_open=True
        )

    def pass_time(self, seconds: int) -> None:
        self.clock.step(seconds)
        self.service.now += seconds


@pytest.fixture
async def phones() -> AsyncIterator[Phones]:
    async with fcm_service() as service, connections(is_open=True) as pool:
        yield Phones(service, pool)


def outgoing(text: str = "A visit at the heart clinic was moved.") -> OutgoingMessage:
    about = MessageAbout("ntc_1", ProviderId("prv_1"), BookingId("bkg_1"), START)
    message = Message("rescheduled", "psh_1", "Slotcast", text, Channel.PUSH)
    return OutgoingMessage("ntc_1.x", message, make.NOW, about=about)


async def test_an_app_is_told_that_there_is_something(phones: Phones) -> None:
    """The service, which reads it, learns an id and the site's title; a repeated
    message replaces itself, and none outlives the begin of the visit."""
    for _ in range(2):
        assert await phones.courier.deliver(outgoing()) == ""
    message, again = phones.service.got
    assert message == again
    assert message["token"] == DEVICE
    assert message["data"] == {"notice_id": "ntc_1"}
    assert message["notification"] == {"title": "Slotcast"}
    assert message["android"]["ttl"] == f"{90 * 60}s"
    assert message["android"]["collapse_key"] == "ntc_1"
    headers = message["apns"]["headers"]
    assert headers["apns-collapse-id"] == "ntc_1"
    assert int(headers["apns-expiration"]) == START * 60
    assert "heart" not in json.dumps(message)


async def test_one_token_serves_until_shortly_before_its_end(phones: Phones) -> None:
    """Also when many messages go at once; one that ended is renewed before use."""
    await asyncio.gather(*(phones.courier.deliver(outgoing()) for _ in range(9)))
    assert len(phones.service.tokens) == 1
    phones.pass_time(3_000)
    await phones.courier.deliver(outgoing())
    assert len(phones.service.tokens) == 1
    phones.pass_time(400)
    await phones.courier.deliver(outgoing())
    assert len(phones.service.tokens) == 2
    assert len(phones.service.got) == 11


async def test_a_token_that_the_service_takes_no_more_is_renewed(
    phones: Phones,
) -> None:
    """The message is tried again, with another one."""
    await phones.courier.deliver(outgoing())
    phones.service.tokens.clear()
    with pytest.raises(JobError) as error:
        await phones.courier.deliver(outgoing())
    assert not error.value.outcome.final
    await phones.courier.deliver(outgoing())
    assert len(phones.service.got) == 2


@pytest.mark.parametrize(
    ("status", "code"), [(404, "UNREGISTERED"), (403, "SENDER_ID_MISMATCH")]
)
async def test_an_app_that_was_removed_is_forgotten(
    phones: Phones, status: int, code: str
) -> None:
    """It is not asked again, and there is no alarm."""
    phones.service.answers = [refusal(status, code)]
    with pytest.raises(RecipientGone):
        await phones.courier.deliver(outgoing())
    assert not phones.kept.known
    with pytest.raises(RecipientGone):
        await phones.courier.deliver(outgoing())
    assert phones.service.got == []


@pytest.mark.parametrize(
    ("answer", "final"),
    [
        ((429, "QUOTA_EXCEEDED"), False),
        ((503, "UNAVAILABLE"), False),
        ((500, "INTERNAL"), False),
        ((400, "INVALID_ARGUMENT"), True),
        ((404, ""), True),
    ],
)
async def test_refusals_of_the_service_are_retried_if_that_may_help(
    phones: Phones, answer: tuple[int, str], *, final: bool
) -> None:
    """When it says so, and within an hour; the app is kept, and no error names it."""
    for said, after_ms in (("7", 7_000), ("99999999", 3_600_000), ("soon", None)):
        phones.service.answers = [refusal(*answer, said)]
        with pytest.raises(JobError) as error:
            await phones.courier.deliver(outgoing())
        assert not isinstance(error.value, RecipientGone)
        assert error.value.outcome.final is final
        assert error.value.outcome.after_ms == after_ms
        assert "secret-token" not in str(error.value)
    assert phones.kept.known


async def test_a_token_service_that_is_away_costs_no_message(phones: Phones) -> None:
    """It is asked again when it says so, or in a while; until then no message waits
    for it, so that those to browsers are not held up."""
    busy = web.Response(status=503, headers={"Retry-After": "9"})
    phones.service.token_answers = answers = [busy, web.Response(text="no json")]
    for after_ms, rest_ms in ((9_000, 9_000), (None, REST_MS)):
        left = len(answers)
        for told in (after_ms, rest_ms):
            with pytest.raises(JobError) as error:
                await phones.courier.deliver(outgoing())
            assert not error.value.outcome.final
            assert error.value.outcome.after_ms == told
        assert len(answers) == left - 1
        phones.pass_time(rest_ms // 1000)
    await phones.courier.deliver(outgoing())


async def test_a_site_without_a_key_gives_such_messages_up(phones: Phones) -> None:
    """As when the key was removed after apps were registered."""
    vapid = Vapid(vapid_key(b"k" * 32), "mailto:visits@clinic.test")
    async with connections(is_open=True) as pool:
        courier = PushCourier(phones.kept, vapid, pool, phones.clock, is_open=True)
        with pytest.raises(RecipientGone):
            await courier.deliver(outgoing())


def test_the_tokens_of_apps() -> None:
    """A browser's route takes none, and none is an address."""
    found = device_subscription(DEVICE)
    assert found is not None
    assert device_token(found) == DEVICE
    assert "endpoint" in wrong_of(found, is_open=True)
    for other in (
        "",
        "short",
        DEVICE + "\n",
        "x" * 2_000,
        "https://a.example/" + DEVICE,
    ):
        assert device_subscription(other) is None


async def test_a_key_that_cannot_be_used_is_said_at_the_start(tmp_path: Path) -> None:
    """Without a word of it."""
    path = tmp_path / "key.json"
    async with fcm_service() as service:
        content = service.key_file()
    path.write_text(json.dumps(content))
    path.chmod(0o644)
    with pytest.raises(ServiceAccountWrong, match="every user can read it"):
        service_account(path)
    path.chmod(0o600)
    assert service_account(path).project_id == "clinic-1"
    for wrong in (
        "{",
        "{}",
        json.dumps({**content, "private_key": "-----BEGIN PRIVATE secret-----"}),
    ):
        path.write_text(wrong)
        with pytest.raises(ServiceAccountWrong) as error:
            service_account(path)
        assert "secret" not in str(error.value)
    with pytest.raises(ServiceAccountWrong):
        service_account(tmp_path / "none.json")
