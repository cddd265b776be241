"""Messages are delivered: into a folder, or to a mail server, once as it is seen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.domain.ids import Millis
from care.jobs.jobs import Job, JobError
from care.notices.messages import DELIVER, Channel, Message, OutgoingMessage
from cluster.work.delivering import message_handlers
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

    def __init__(self) -> None:
        self.sent_at: Millis | None = None

    async def find(self, message_id: str) -> OutgoingMessage | None:
        if message_id != MAIL.message_id:
            return None
        return OutgoingMessage("msg_1", MAIL.message, NOW, self.sent_at)

    async def mark_sent(self, message_id: str, *, now: Millis) -> None:
        self.sent_at = now

    async def latest(self, limit: int) -> list[OutgoingMessage]:
        return []


async def test_the_job_delivers_once(tmp_path: Path) -> None:
    """A job that is run again finds the message sent; an unknown one is done."""
    outgoing, folder = OneMessage(), FolderCourier(tmp_path)
    couriers = {Channel.MAIL: folder}
    deliver = message_handlers(outgoing, couriers, SteppedClock(NOW))[DELIVER]
    await deliver(JOB)
    assert outgoing.sent_at == NOW
    (name,) = os.listdir(tmp_path)
    (tmp_path / name).unlink()
    await deliver(JOB)
    assert os.listdir(tmp_path) == []
    await deliver(Job(1, DELIVER, "msg_none", {}, NOW, 1, NOW))


async def test_a_channel_that_the_site_lacks_is_a_dead_letter() -> None:
    """It is not tried twelve times."""
    deliver = message_handlers(OneMessage(), {}, SteppedClock(NOW))[DELIVER]
    with pytest.raises(JobError, match="no mail") as refused:
        await deliver(JOB)
    assert refused.value.outcome.final
