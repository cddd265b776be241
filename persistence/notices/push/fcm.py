"""Delivers messages to apps on phones through Firebase Cloud Messaging (HTTP v1).

The service reads what it is given, so a message has ids alone, and the site's neutral
title: the app asks this site what happened. A token of the service account's is asked
for with a signed assertion (RFC 7523) and kept until shortly before it ends.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpcore
from msgspec import DecodeError, Struct, ValidationError, field, json

from actors.domain.ids import Millis
from actors.ports import Clock
from care.jobs.jobs import JobError
from care.notices.messages import OutgoingMessage
from care.notices.push import PushSubscriptions, RecipientGone
from persistence.notices.push.network import PrivateAddress

API: Final = "https://fcm.googleapis.com"
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
ANSWER_S: Final = 10.0
"""How long each of the two services may take; both together are below a job's time."""
ASSERTION_S: Final = 3_600
"""How long an assertion holds; the service takes an hour at most."""
EARLY_S: Final = 300
"""A token is renewed so long before it ends."""
REST_MS: Final = 5_000
"""How long the token service is not asked again after it gave no token."""
ANSWER_BYTES_MAX: Final = 16 * 1024
_RETRY_S_MAX: Final = 3_600
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TIMEOUTS: Final = dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_S)
_OK, _UNAUTHORIZED, _TOO_MANY = 200, 401, 429
_GONE: Final = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH"})
"""What the service says of a token that no app of this project has any more."""


class ServiceAccountWrong(ValueError):
    """The file is no key of a service account."""


class ServiceAccount(Struct, frozen=True):
    """The key of a service account, as Firebase writes it."""

    project_id: str
    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""


class _Token(Struct, frozen=True):
    access_token: str
    expires_in: int


class _Detail(Struct, frozen=True):
    error_code: str = field(default="", name="errorCode")


class _Error(Struct, frozen=True):
    details: tuple[_Detail, ...] = ()


class _Refused(Struct, frozen=True):
    error: _Error = _Error()


def service_account(path: Path) -> ServiceAccount:
    """Read the key. Raises ServiceAccountWrong: its words name no part of the key."""
    try:
        mode = path.stat().st_mode & 0o777
        found = json.decode(path.read_bytes(), type=ServiceAccount)
    except OSError as error:
        raise ServiceAccountWrong(f"it cannot be read: {error.strerror}") from None
    except (DecodeError, ValidationError, UnicodeDecodeError):
        raise ServiceAccountWrong("it is no key of a service account") from None
    _check_key(found.private_key)
    if mode & 0o007:
        raise ServiceAccountWrong(f"every user can read it (mode {mode:o})")
    return found


class FcmSender:
    """Sends messages to the apps of one project."""

    def __init__(
        self,
        account: ServiceAccount,
        subscriptions: PushSubscriptions,
        pool: httpcore.AsyncConnectionPool,
        clock: Clock,
        api: str = API,
    ) -> None:
        self._account = account
        self._subscriptions = subscriptions
        self._pool = pool
        self._clock = clock
        project = quote(account.project_id, safe="")
        self._url = f"{api}/v1/projects/{project}/messages:send"
        self._turn = asyncio.Lock()
        self._token = ""
        self._until = 0
        """When the token is renewed, in seconds."""
        self._rests_until = Millis(0)

    async def send(
        self, device: str, outgoing: OutgoingMessage, tag: str, kept_s: int
    ) -> None:
        """Send to one app; ``kept_s``: as long as it is of use if the phone is off.

        Raises:
            RecipientGone: the app was removed; its token is forgotten.
            JobError: it was not taken.
        """
        token = await self._access_token()
        body = json.encode(_message(device, outgoing, tag, self._until_s(kept_s)))
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        status, answer, after_ms = await self._post(self._url, headers, body)
        if status == _OK:
            return
        if status == _UNAUTHORIZED:
            self._token = ""
        if _codes(answer) & _GONE:
            await self._subscriptions.drop(outgoing.message.recipient)
            raise RecipientGone("the app is not registered any more")
        final = status // 100 in (3, 4) and status not in (_UNAUTHORIZED, _TOO_MANY)
        reason = f"the service answered {status}"
        raise JobError(reason, after_ms=after_ms, final=final)

    def _until_s(self, kept_s: int) -> tuple[int, int]:
        """How long a message is kept, and until when, in seconds."""
        return kept_s, self._clock.now() // 1000 + kept_s

    async def _access_token(self) -> str:
        """A token that holds; asked for once by all that need it. Raises JobError."""
        async with self._turn:
            now = self._clock.now()
            if self._token and now // 1000 < self._until:
                return self._token
            if now < self._rests_until:
                # All that waited here would ask one after the other, in vain.
                wait = self._rests_until - now
                raise JobError("the token service gave none just now", after_ms=wait)
            try:
                made = await self._new_token(now)
            except JobError as error:
                rest = error.outcome.after_ms or REST_MS
                self._rests_until = Millis(self._clock.now() + rest)
                raise
            self._token = made.access_token
            self._until = now // 1000 + max(0, made.expires_in - EARLY_S)
            return self._token

    async def _new_token(self, now: Millis) -> _Token:
        """Ask for a token. Raises JobError."""
        assertion = _assertion(self._account, now)
        form = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        found = await self._post(self._account.token_uri, headers, form)
        status, answer, after_ms = found
        if status != _OK:
            reason = f"the token service answered {status}"
            raise JobError(reason, after_ms=after_ms)
        try:
            return json.decode(answer, type=_Token)
        except (DecodeError, ValidationError):
            raise JobError("the token service gave no token") from None

    async def _post(
        self, url: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes, int | None]:
        """Status, the begin of the answer, ``Retry-After``. Raises JobError."""
        fields = {
            "Host": urlsplit(url).netloc,
            "Content-Length": str(len(body)),
            **headers,
        }
        try:
            async with self._pool.stream(
                "POST",
                url,
                headers=[(name.encode(), one.encode()) for name, one in fields.items()],
                content=body,
                extensions={"timeout": _TIMEOUTS},
            ) as answer:
                text = bytearray()
                async for part in answer.aiter_stream():
                    text += part
                    if len(text) > ANSWER_BYTES_MAX:
                        break
                return answer.status, bytes(text), _after_ms(answer.headers)
        except PrivateAddress:
            raise JobError("the service is of no public network") from None
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as error:
            raise JobError(f"no answer: {type(error).__name__}") from None


def _message(
    device: str, outgoing: OutgoingMessage, tag: str, kept: tuple[int, int]
) -> dict[str, Any]:
    """What the service is given; one with the same tag replaces another."""
    kept_s, until_s = kept
    return {
        "message": {
            "token": device,
            "notification": {"title": outgoing.message.subject},
            "data": {"notice_id": tag},
            "android": {
                "priority": "HIGH",
                "ttl": f"{kept_s}s",
                "collapse_key": tag,
                "notification": {"tag": tag},
            },
            "apns": {
                "headers": {
                    "apns-collapse-id": tag,
                    "apns-expiration": str(until_s),
                    "apns-priority": "10",
                }
            },
        }
    }


def _assertion(account: ServiceAccount, now: Millis) -> str:
    # Imported with the first message: most sites send none, and the worker stays small.
    import jwt

    at = now // 1000
    claims = {
        "iss": account.client_email,
        "scope": SCOPE,
        "aud": account.token_uri,
        "iat": at,
        "exp": at + ASSERTION_S,
    }
    headers = {"kid": account.private_key_id} if account.private_key_id else None
    return jwt.encode(claims, account.private_key, algorithm="RS256", headers=headers)


def _check_key(pem: str) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        raise ServiceAccountWrong("its private key cannot be read") from None


def _codes(answer: bytes) -> set[str]:
    """What an error is called by the service."""
    try:
        found = json.decode(answer, type=_Refused)
    except (DecodeError, ValidationError):
        return set()
    return {one.error_code for one in found.error.details}


def _after_ms(headers: list[tuple[bytes, bytes]]) -> int | None:
    """``Retry-After`` in seconds, an hour at most."""
    for name, value in headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return min(int(value[:6]), _RETRY_S_MAX) * 1000
    return None
