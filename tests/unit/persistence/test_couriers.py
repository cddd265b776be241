"""Messages are delivered: into a folder, or to a mail server, once as it is seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from actors.domain.ids import Millis
from care.jobs.jobs import Job, JobError
from care.notices.messages import (
    DELIVER,
    Attempt,
    Channel,
    DeliveryStatus,
    DeliveryUnknown,
    Message,
    OutgoingMessage,
)
from cluster.work.delivering import Deliverer, message_handlers
from persistence.notices.folder import FolderCourier
from persistence.notices.smtp import SmtpCourier, mail_of
from tests import factories as make
from tests.fakes.clocks import SteppedClock

NOW = make.NOW
MAIL = OutgoingMessage(
    "msg_1", Message("verify_email", "mira@example.org", "Grüß Gott", "Ein Link"), NOW
)
JOB = Job(1, DELIVER, "msg_1", {}, NOW, 1, Millis(NOW + 60_000))


class SmtpServer:
    """Answers each command of a mail from a script; notes what it was given."""

    def __init__(self, recipient_reply: str) -> None:
        self.recipient_reply = recipient_reply
        self.lines: list[str] = []
        self.port = 0

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"220 here\r\n")
        in_data = False
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.lines.append(line)
            in_data = in_data and line != "."
            if not in_data:
                writer.write(f"{self._reply(line)}\r\n".encode())
                await writer.drain()
            if line == "DATA":
                in_data = True
                await self._read_mail(reader)
                in_data = False
                writer.write(b"250 taken\r\n")
            if line == "QUIT":
                break
        writer.close()

    async def _read_mail(self, reader: asyncio.StreamReader) -> None:
        while (line := (await reader.readline()).decode().rstrip("\r\n")) != ".":
            self.lines.append(line)

    def _reply(self, line: str) -> str:
        word = line.split()[0].upper()
        if word == "RCPT":
            return self.recipient_reply
        return {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 fine")


@pytest.fixture
async def server(request: pytest.FixtureRequest) -> AsyncIterator[SmtpServer]:
    """A mail server on this machine that answers recipients as the test says."""
    made = SmtpServer(getattr(request, "param", "250 fine"))
    listening = await asyncio.start_server(made.talk, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made


async def test_a_folder_keeps_each_message_once(tmp_path: Path) -> None:
    """Delivered twice it is there once, readable by its owner only."""
    courier = FolderCourier(tmp_path / "outgoing")
    for _ in range(2):
        await courier.deliver(MAIL)
    (path,) = (tmp_path / "outgoing").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text("utf-8") == (
        "To: mira@example.org\nSubject: Grüß Gott\n\nEin Link\n"
    )


async def test_a_mail_reaches_the_server(server: SmtpServer) -> None:
    """With its recipient, subject and a Message-ID made from the message's own."""
    courier = SmtpCourier(f"smtp://127.0.0.1:{server.port}", "Us <us@example.org>")
    await courier.deliver(MAIL)
    assert "Message-ID: <msg_1@example.org>" in server.lines
    assert [line for line in server.lines if line.startswith("RCPT TO:")]


@pytest.mark.parametrize(
    ("server", "final"),
    [("550 no such person", True), ("450 later", False)],
    indirect=["server"],
)
async def test_a_refusal_says_whether_to_try_again(
    server: SmtpServer, final: bool
) -> None:
    """A permanent one makes a dead letter at once; no address is in its reason."""
    courier = SmtpCourier(f"smtp://127.0.0.1:{server.port}", "us@example.org")
    with pytest.raises(JobError) as refused:
        await courier.deliver(MAIL)
    assert refused.value.outcome.final is final
    assert "mira" not in refused.value.outcome.reason


def test_a_subject_cannot_add_headers() -> None:
    """A line break in a name does not become a header of the mail."""
    message = Message("x", "mira@example.org", "Hi\r\nBcc: all@example.org", "")
    with pytest.raises(ValueError, match=r"linefeed|newline|line"):
        mail_of(OutgoingMessage("msg_1", message, NOW), "us@example.org")


class OneMessage:
    """An OutgoingMessages with one message."""

    def __init__(self, message: OutgoingMessage = MAIL) -> None:
        self.message = message

    async def find(self, message_ids: Sequence[str]) -> Mapping[str, OutgoingMessage]:
        mine = self.message.message_id
        return {mine: self.message} if mine in message_ids else {}

    async def begin(self, message_ids: Sequence[str], *, now: Millis) -> None:
        self.message = replace(self.message, attempted_at=now)

    async def forget_attempt(self, message_id: str) -> None:
        self.message = replace(self.message, attempted_at=None)

    async def settle(self, attempts: Sequence[Attempt], *, now: Millis) -> None:
        (one,) = attempts
        self.message = replace(self.message, sent_at=now, status=one.status)

    async def latest(self, limit: int) -> list[OutgoingMessage]:
        return [self.message]


def deliverer(outgoing: OneMessage, couriers: Mapping[Channel, Any]) -> Deliverer:
    return Deliverer(outgoing, couriers, SteppedClock(NOW))


async def test_the_job_delivers_once(tmp_path: Path) -> None:
    """A job that is run again finds the message sent; an unknown one is done."""
    outgoing, folder = OneMessage(), FolderCourier(tmp_path)
    deliver = message_handlers(deliverer(outgoing, {Channel.MAIL: folder}))[DELIVER]
    await deliver(JOB)
    assert outgoing.message.sent_at == NOW
    (name,) = os.listdir(tmp_path)
    (tmp_path / name).unlink()
    await deliver(JOB)
    assert os.listdir(tmp_path) == []
    await deliver(Job(1, DELIVER, "msg_none", {}, NOW, 1, NOW))


async def test_a_channel_that_the_site_lacks_is_a_dead_letter() -> None:
    """It is not tried twelve times."""
    deliver = message_handlers(deliverer(OneMessage(), {}))[DELIVER]
    with pytest.raises(JobError, match="no mail") as refused:
        await deliver(JOB)
    assert refused.value.outcome.final


class Losing:
    """A service that takes messages, and whose answers are lost."""

    def __init__(self) -> None:
        self.taken = 0

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        self.taken += 1
        raise DeliveryUnknown("lost")


async def test_an_attempt_of_unknown_outcome_waits_for_a_call_back() -> None:
    """For a minute; if none came, the message is sent again."""
    sms = replace(MAIL, message=replace(MAIL.message, channel=Channel.SMS))
    outgoing, service, clock = OneMessage(sms), Losing(), SteppedClock(NOW)
    deliver = Deliverer(outgoing, {Channel.SMS: service}, clock).deliver
    with pytest.raises(JobError, match="lost"):
        await deliver(JOB)
    clock.step(59)
    with pytest.raises(JobError, match="call-back") as waiting:
        await deliver(JOB)
    assert (service.taken, waiting.value.outcome.after_ms) == (1, 1_000)
    clock.step(1)
    with pytest.raises(JobError, match="lost"):
        await deliver(JOB)
    assert service.taken == 2
    await outgoing.settle([Attempt("msg_1", DeliveryStatus.DELIVERED)], now=clock.now())
    clock.step(60)
    await deliver(JOB)
    assert service.taken == 2


async def test_a_failed_attempt_is_repeated_at_once_when_it_is_due(
    tmp_path: Path,
) -> None:
    """A service that surely took nothing is not waited for."""
    sms = replace(MAIL, message=replace(MAIL.message, channel=Channel.SMS))
    outgoing, clock = OneMessage(sms), SteppedClock(NOW)

    class Refusing:
        async def deliver(self, outgoing: OutgoingMessage) -> str:
            raise JobError("busy")

    with pytest.raises(JobError, match="busy") as busy:
        await Deliverer(outgoing, {Channel.SMS: Refusing()}, clock).deliver(JOB)
    assert busy.value.outcome.until == NOW + 2 * 24 * 3_600_000
    folder = FolderCourier(tmp_path)
    await Deliverer(outgoing, {Channel.SMS: folder}, clock).deliver(JOB)
    assert outgoing.message.status is DeliveryStatus.SENT


def test_a_mail_has_all_its_forms() -> None:
    """Text, page, a part that calendars act on, and the same as a file."""
    message = replace(
        MAIL.message,
        html="<p>Ein Link</p>",
        calendar="BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        calendar_method="REQUEST",
        unsubscribe="https://clinic.test/v1/unsubscribe/abc",
    )
    sent = mail_of(replace(MAIL, message=message), "Us <us@example.org>")
    mail = message_from_bytes(sent.as_bytes(), policy=policy.default)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    (calendar,) = (p for p in mail.walk() if p.get_content_type() == "text/calendar")
    assert calendar.get_param("method") == "REQUEST"
    assert calendar.get_payload(decode=True) == message.calendar.encode()
    assert mail["List-Unsubscribe"] == "<https://clinic.test/v1/unsubscribe/abc>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
