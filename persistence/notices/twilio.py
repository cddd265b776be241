"""Delivers messages to phones by a service that is spoken to as Twilio is."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import DecodeError, Struct, json

from care.jobs.jobs import JobError
from care.notices.messages import DeliveryUnknown, OutgoingMessage

ANSWER_S: Final = 10.0
"""How long the service may take: below the time of a job."""
_TOO_MANY: Final = 429
_PLAIN_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DAMAGED: Final = range(400, 500)


class _Taken(Struct):
    sid: str = ""


class TwilioCourier:
    """Hands messages to one service. Implements MessageSender.

    ``url`` is ``https://account:token@host``; ``http`` on this machine alone. The
    service knows no key to tell a repeated message from another one, so a lost answer
    is ``DeliveryUnknown``. With ``callback_url`` it is asked to post there what becomes
    of each message, whose id is the last part of the path.

    Raises:
        ValueError: the URL is not of this form.
    """

    def __init__(self, url: str, sender: str, callback_url: str = "") -> None:
        parts = urlsplit(url)
        is_here = parts.hostname in _PLAIN_HOSTS
        if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
            raise ValueError("must be https://account:token@host")
        if not parts.hostname or not parts.username or not parts.password:
            raise ValueError("must name an account, its token and a host")
        account = unquote(parts.username)
        self._auth = (account, unquote(parts.password))
        host = parts.netloc.rpartition("@")[2]
        self._url = (
            f"{parts.scheme}://{host}/2010-04-01/Accounts/{account}/Messages.json"
        )
        self._sender = sender
        self._callback_url = callback_url

    async def deliver(self, outgoing: OutgoingMessage) -> str:
        """See MessageSender.deliver."""
        import httpx  # 6 MiB in a worker, which most sites never need

        form = {
            "To": outgoing.message.recipient,
            "From": self._sender,
            "Body": outgoing.message.text,
        }
        if self._callback_url:
            form["StatusCallback"] = f"{self._callback_url}/{outgoing.message_id}"
        try:
            async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
                answer = await client.post(self._url, data=form, auth=self._auth)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise JobError(f"no connection: {type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise DeliveryUnknown(f"no answer: {type(error).__name__}") from None
        if answer.is_success:
            return _id_of(answer.content)
        if answer.is_server_error:
            raise DeliveryUnknown(f"the service answered {answer.status_code}")
        # Its text may repeat the number, which no log may hold.
        final = answer.status_code in _DAMAGED and answer.status_code != _TOO_MANY
        raise JobError(f"the service answered {answer.status_code}", final=final)


def _id_of(answer: bytes) -> str:
    """The service's id of a message that it took."""
    try:
        return json.decode(answer, type=_Taken).sid
    except DecodeError:
        return ""
