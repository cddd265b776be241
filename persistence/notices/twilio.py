"""Delivers messages to phones by a service that is spoken to as Twilio is."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from care.jobs.jobs import JobError
from care.notices.messages import OutgoingMessage

ANSWER_S: Final = 10.0
"""How long the service may take: below the time of a job."""
_TOO_MANY: Final = 429
_PLAIN_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DAMAGED: Final = range(400, 500)


class TwilioCourier:
    """Hands messages to one service. Implements MessageSender.

    ``url`` is ``https://account:token@host``; ``http`` on this machine alone. A message
    whose answer was lost is sent again: the service knows no key to tell them apart.

    Raises:
        ValueError: the URL is not of this form.
    """

    def __init__(self, url: str, sender: str) -> None:
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

    async def deliver(self, outgoing: OutgoingMessage) -> None:
        """See MessageSender.deliver."""
        import httpx  # 6 MiB in a worker, which most sites never need

        form = {
            "To": outgoing.message.recipient,
            "From": self._sender,
            "Body": outgoing.message.text,
        }
        try:
            async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
                answer = await client.post(self._url, data=form, auth=self._auth)
        except httpx.HTTPError as error:
            raise JobError(f"no answer: {type(error).__name__}") from None
        if answer.is_success:
            return
        # Its text may repeat the number, which no log may hold.
        final = answer.status_code in _DAMAGED and answer.status_code != _TOO_MANY
        raise JobError(f"the service answered {answer.status_code}", final=final)
