"""Those who take messages: a mail server, a service for phones, a service of browsers.

Each is a process of its own that may be killed at any moment; what it has taken is in
a file, a line for each message, written before it is acknowledged. The service for
phones calls back as Twilio does, until it was heard, also after it was killed.

    python -m tests.acceptance.notices.receivers KIND FOLDER PORT [SITE]
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
from aiohttp import ClientError, ClientSession, web
from aiosmtpd.smtp import SMTP
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from tests.fixtures.patients import PATIENCE_S
from tests.fixtures.push_service import Browser, PushService
from tests.fixtures.reserved import free_port
from tests.fixtures.server import ROOT

ACCOUNT, TOKEN = "AC123", "to/ken"
"""What the site was given by the service for phones."""
CALL_AGAIN_S = 0.05


class Lines:
    """A file of lines that ends with a whole one however its writer was killed."""

    def __init__(self, path: Path) -> None:
        whole = path.read_bytes().rpartition(b"\n")
        os.truncate(path, len(whole[0] + whole[1]))
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def add(self, **fields: Any) -> None:
        os.write(self._file, json.dumps(fields).encode() + b"\n")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; another one may be being written."""
    return [json.loads(one) for one in path.read_bytes().split(b"\n")[:-1]]


# --- mail -----------------------------------------------------------------------------


class MailHandler:
    """Takes mails."""

    def __init__(self, taken: Lines) -> None:
        self._taken = taken

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        raw = b64encode(envelope.content).decode()
        self._taken.add(to=list(envelope.rcpt_tos), raw=raw)
        return "250 taken"


async def take_mails(folder: Path, port: int) -> None:
    handler = MailHandler(Lines(folder / "mail"))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop), "127.0.0.1", port
    )
    await server.serve_forever()


# --- phones ---------------------------------------------------------------------------


class PhoneService:
    """Takes messages from its customer alone, and reports each until it was heard."""

    def __init__(self, folder: Path, site: str) -> None:
        self._taken = Lines(folder / "sms")
        self._reported = Lines(folder / "reported")
        self._site = site
        done = {one["url"] for one in lines_of(folder / "reported")}
        self._due = [
            one["report_to"]
            for one in lines_of(folder / "sms")
            if one["report_to"] not in done
        ]

    async def take(self, request: web.Request) -> web.Response:
        account, _, token = (
            b64decode(request.headers["Authorization"].removeprefix("Basic "))
            .decode()
            .partition(":")
        )
        if (account, token) != (ACCOUNT, TOKEN):
            return web.Response(status=401)
        form = dict(parse_qsl((await request.read()).decode()))
        report_to = form["StatusCallback"]
        self._taken.add(to=form["To"], text=form["Body"], report_to=report_to)
        self._due.append(report_to)
        return web.json_response({"sid": _sid(report_to)}, status=201)

    async def waiting(self, _request: web.Request) -> web.Response:
        return web.json_response({"waiting": len(self._due)})

    async def report(self) -> None:
        """Tell the site what became of messages; a wrong signature is refused."""
        async with ClientSession() as session:
            while True:
                for url in list(self._due):
                    with contextlib.suppress(ClientError, TimeoutError):
                        await self._report(session, url)
                await asyncio.sleep(CALL_AGAIN_S)

    async def _report(self, session: ClientSession, url: str) -> None:
        form = {"MessageSid": _sid(url), "MessageStatus": "delivered"}
        where = self._site + urlsplit(url).path
        forged = {"X-Twilio-Signature": signed("another token", url, form)}
        async with session.post(where, data=form, headers=forged) as answer:
            if answer.status == 503:
                return
            assert answer.status == 403, answer.status
        right = {"X-Twilio-Signature": signed(TOKEN, url, form)}
        async with session.post(where, data=form, headers=right) as answer:
            if answer.status == 204:
                self._reported.add(url=url)
                self._due.remove(url)


def signed(token: str, url: str, form: dict[str, str]) -> str:
    """X-Twilio-Signature, by the description of the service."""
    text = url + "".join(name + form[name] for name in sorted(form))
    made = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return b64encode(made).decode()


def _sid(url: str) -> str:
    return "SM" + hashlib.sha256(url.encode()).hexdigest()[:32]


async def take_phones(folder: Path, port: int, site: str) -> None:
    service = PhoneService(folder, site)
    app = web.Application()
    app.router.add_post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", service.take)
    app.router.add_get("/waiting", service.waiting)
    await _serve(app, port)
    await service.report()


# --- browsers -------------------------------------------------------------------------


class KilledPushService(PushService):
    """Keeps what it took; its browsers have the same keys in each life.

    Senders may have another clock: of a token's times only their distance is judged.
    """

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__()
        self.origin = f"http://127.0.0.1:{port}"
        self._taken = Lines(folder / "push")
        for number in range(BROWSERS):
            self.browsers[f"b{number}"] = a_browser(self.origin, number)

    async def take(self, request: web.Request) -> web.Response:
        token, key = (
            request.headers["Authorization"].removeprefix("vapid t=").split(", k=")
        )
        self.public_key = self.public_key or key
        claims = jwt.decode(token, options={"verify_signature": False})
        self.now = claims["exp"] - 1
        before = len(self.got)
        answer = await super().take(request)
        for name, headers, message in self.got[before:]:
            self._taken.add(browser=name, topic=headers["Topic"], **message)
        return answer


BROWSERS = 8


def a_browser(origin: str, number: int) -> Browser:
    """A browser whose keys are made from its number."""
    made = Browser(f"{origin}/send/b{number}")
    made.use(derive_private_key(1_000_003 + number, SECP256R1()))
    return made


async def take_pushes(folder: Path, port: int) -> None:
    service = KilledPushService(folder, port)
    app = web.Application()
    app.router.add_post("/send/{name}", service.take)
    await _serve(app, port)
    await asyncio.Event().wait()


async def _serve(app: web.Application, port: int) -> None:
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()


# --- as tests hold them ---------------------------------------------------------------


class Receiver:
    """One of them as a process; as a context manager it never outlives the block."""

    def __init__(self, kind: str, folder: Path, site: str = "") -> None:
        self.kind, self.folder, self.site = kind, folder, site
        self.port = free_port()
        self.file = folder / kind
        for name in (kind, *(("reported",) if kind == "sms" else ())):
            (folder / name).touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        words = [self.kind, str(self.folder), str(self.port), self.site]
        with (self.folder / f"{self.kind}.output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.acceptance.notices.receivers", *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self._process.poll() is None, self.kind
            assert time.monotonic() < deadline, self.kind
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it takes connections."""
        import socket

        with socket.socket() as probe:
            probe.settimeout(PATIENCE_S)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def taken(self) -> list[dict[str, Any]]:
        """What it has taken, in order."""
        return lines_of(self.file)

    def all_reported(self) -> bool:
        """Of the service for phones: whether the site heard of every message."""
        found: int = httpx.get(
            f"http://127.0.0.1:{self.port}/waiting", timeout=PATIENCE_S
        ).json()["waiting"]
        return found == 0

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def mail_of(line: dict[str, Any]) -> EmailMessage:
    """A mail as it was taken."""
    return message_from_bytes(b64decode(line["raw"]), policy=policy.default)


if __name__ == "__main__":
    place, at = Path(sys.argv[2]), int(sys.argv[3])
    match sys.argv[1]:
        case "mail":
            asyncio.run(take_mails(place, at))
        case "sms":
            asyncio.run(take_phones(place, at, sys.argv[4]))
        case "push":
            asyncio.run(take_pushes(place, at))
        case other:
            sys.exit(f"unknown: {other}")
