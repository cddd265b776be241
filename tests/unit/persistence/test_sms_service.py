"""Messages to phones: what a service that is spoken to as Twilio gets, and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest

from care.jobs.jobs import JobError
from care.notices.messages import Channel, DeliveryUnknown, Message, OutgoingMessage
from persistence.notices.twilio import TwilioCourier
from tests import factories as make

PHONE = "+4915112345678"
SMS = OutgoingMessage(
    "msg_1",
    Message("sms_code", PHONE, "", "123456 is your code", Channel.SMS),
    make.NOW,
)


class SmsService:
    """Answers each request with a status; notes what it was sent."""

    def __init__(self) -> None:
        self.status = 201
        self.head, self.form = "", dict[str, list[str]]()
        self.port = 0

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (length,) = (
            int(line.split(":")[1])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        self.form = parse_qs((await reader.readexactly(length)).decode())
        self.head = head
        if self.status:
            said = f'{{"sid": "SM1", "message": "The number {PHONE} is wrong"}}'
            writer.write(
                f"HTTP/1.1 {self.status} X\r\nContent-Type: application/json\r\n"
                f"Location: http://169.254.169.254/\r\n"
                f"Content-Length: {len(said)}\r\n\r\n{said}".encode()
            )
        writer.close()


@pytest.fixture
async def service() -> AsyncIterator[SmsService]:
    """A service on this machine."""
    made = SmsService()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def _courier(service: SmsService) -> TwilioCourier:
    url = f"http://AC123:to%2Fken@127.0.0.1:{service.port}"
    return TwilioCourier(url, "+15005550006")


async def test_a_message_is_posted_as_the_service_wants(service: SmsService) -> None:
    """Account in path and credentials, number and text in the form."""
    await _courier(service).deliver(SMS)
    assert service.head.startswith(
        "POST /2010-04-01/Accounts/AC123/Messages.json HTTP/1.1"
    )
    assert "authorization: basic qumxmjm6dg8va2vu" in service.head.lower()
    assert service.form == {
        "To": [PHONE],
        "From": ["+15005550006"],
        "Body": ["123456 is your code"],
    }


@pytest.mark.parametrize(
    ("status", "final"),
    [(400, True), (401, True), (429, False), (500, False), (302, False), (0, False)],
)
async def test_a_refusal_says_whether_to_try_again(
    service: SmsService, status: int, *, final: bool
) -> None:
    """Without the number, which the service's answer repeats; no redirect is
    followed. What it may have taken all the same is told apart."""
    service.status = status
    with pytest.raises(JobError) as raised:
        await _courier(service).deliver(SMS)
    assert raised.value.outcome.final is final
    assert isinstance(raised.value, DeliveryUnknown) is (status in (500, 0))
    assert PHONE not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://AC123:token@api.example.org",
        "https://api.example.org",
        "https://AC123@api.example.org",
        "ftp://AC123:token@api.example.org",
        "https://AC123:token@",
    ],
)
def test_a_service_is_named_whole_and_spoken_to_under_tls(url: str) -> None:
    """In the clear only on this machine."""
    with pytest.raises(ValueError, match="must"):
        TwilioCourier(url, "")


async def test_the_service_is_asked_to_call_back() -> None:
    """At an address that names the message; its own id for it is returned."""
    made = SmsService()
    server = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    url = f"http://AC123:token@127.0.0.1:{made.port}"
    async with server:
        courier = TwilioCourier(url, "+15005550006", "https://clinic.test/v1/sms")
        assert await courier.deliver(SMS) == "SM1"
    assert made.form["StatusCallback"] == ["https://clinic.test/v1/sms/msg_1"]
