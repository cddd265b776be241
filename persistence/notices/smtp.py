"""Delivers mail by SMTP."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from care.jobs.jobs import JobError
from care.notices.messages import Message, OutgoingMessage

ANSWER_S: Final = 20.0
"""How long the server may take for one answer: below the time of a job."""
_PORTS: Final = {"smtp": 587, "smtps": 465}
_NO_USE: Final = range(500, 600)
"""Replies after which the same mail is refused again, RFC 5321 section 4.2.1."""


class SmtpCourier:
    """Hands mail to one server. Implements MessageSender.

    ``url`` is ``smtp://user:password@host:port`` (STARTTLS, unless the host is this
    machine) or ``smtps://…`` (TLS from the start).

    Raises:
        ValueError: the URL is not of this form.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("must be smtp://… or smtps://… and name a host")
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._use_tls = parts.scheme == "smtps"
        is_here = self._host in {"localhost", "127.0.0.1", "::1"}
        # On other hosts mail never travels in the clear.
        self._start_tls = None if is_here or self._use_tls else True
        self._sender = sender

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        """See MessageSender.deliver."""
        try:
            await aiosmtplib.send(
                mail_of(outgoing, self._sender),
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._use_tls,
                start_tls=self._start_tls,
                timeout=ANSWER_S,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [one.code for one in error.recipients]
            final = bool(codes) and all(code in _NO_USE for code in codes)
            raise JobError(f"the recipient was refused: {codes}", final=final) from None
        except aiosmtplib.SMTPResponseException as error:
            final = error.code in _NO_USE
            raise JobError(f"the server answered {error.code}", final=final) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise JobError(f"no mail server: {type(error).__name__}") from None
        return ""


def mail_of(outgoing: OutgoingMessage, sender: str) -> EmailMessage:
    """The mail of a message, with a Message-ID that a repeated delivery shares."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = outgoing.message.recipient
    mail["Subject"] = outgoing.message.subject
    domain = sender.rpartition("@")[2].rstrip(">")
    mail["Message-ID"] = f"<{outgoing.message_id}@{domain}>"
    message = outgoing.message
    if message.unsubscribe:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if outgoing.about is not None:
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence replies
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    if message.calendar:
        _add_calendar(mail, message)
    return mail


def _add_calendar(mail: EmailMessage, message: Message) -> None:
    """As an alternative, which mail programs act on, and as a file to open by hand."""
    text = message.calendar.encode()
    mail.add_alternative(
        text,
        maintype="text",
        subtype="calendar",
        cte="base64",
        params={"method": message.calendar_method, "charset": "utf-8"},
    )
    mail.add_attachment(
        text,
        maintype="application",
        subtype="ics",
        filename="visit.ics",
    )
