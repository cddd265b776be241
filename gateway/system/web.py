"""The web app: files of its build, served from memory with their compressed variants.

Hashed files under ``/assets/`` never change and are kept for a year; all other files
are revalidated by their ETag. Any other address that a browser opens gets the app's
page, whose router handles it; a missing file is a 404 and never a page.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from gateway.wire.errors import MethodNotAllowed, NotFound
from gateway.wire.problems import of_error
from gateway.wire.replies import REVALIDATE, Reply, problem_reply, send_reply

PAGE: Final = "/index.html"
_FOR_EVER: Final = (b"cache-control", b"public, max-age=31536000, immutable")
_KINDS: Final = {".webmanifest": "application/manifest+json", ".js": "text/javascript"}
_CODINGS: Final = ((b"br", ".br"), (b"gzip", ".gz"))
"""Codings by preference, and the suffix of the compressed file."""
_POLICY: Final = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    b"require-trusted-types-for 'script'; trusted-types slotcast",
)


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the build, in its codings."""

    kind: bytes
    tag: bytes
    bodies: dict[bytes, bytes]
    """Coding -> bytes; ``b""`` is the uncompressed file."""


class WebApp:
    """ASGI: the files of a build folder, read once."""

    def __init__(self, folder: Path) -> None:
        self._files = {
            "/" + path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix not in (".br", ".gz")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer GET and HEAD."""
        del receive
        await send_reply(scope, send, self._reply(scope))

    def _reply(self, scope: Scope) -> Reply:
        if scope["method"] not in ("GET", "HEAD"):
            return problem_reply(of_error(MethodNotAllowed("GET, HEAD")))
        headers = dict(scope["headers"])
        path = scope["path"]
        found = self._files.get(path)
        if found is None and _is_opened(path, headers):
            path = PAGE
            found = self._files.get(PAGE)
        if found is None:
            return problem_reply(of_error(NotFound()))
        keep = _FOR_EVER if path.startswith("/assets/") else REVALIDATE
        about = [(b"content-type", found.kind), keep, (b"etag", found.tag)]
        about.append((b"vary", b"accept-encoding"))
        if path == PAGE:
            about.append(_POLICY)
        if headers.get(b"if-none-match") == found.tag:
            return Reply(304, headers=tuple(about))
        for coding, _ in _CODINGS:
            if coding in found.bodies and coding in headers.get(
                b"accept-encoding", b""
            ):
                about.append((b"content-encoding", coding))
                return Reply(200, found.bodies[coding], tuple(about))
        return Reply(200, found.bodies[b""], tuple(about))


def _read(path: Path) -> _File:
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or ""
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    body = path.read_bytes()
    bodies = {b"": body}
    for coding, ending in _CODINGS:
        twin = path.with_name(path.name + ending)
        if twin.is_file():
            bodies[coding] = twin.read_bytes()
    tag = f'"{sha256(body).hexdigest()[:24]}"'
    return _File((kind or "application/octet-stream").encode(), tag.encode(), bodies)


def _is_opened(path: str, headers: dict[bytes, bytes]) -> bool:
    """Whether a browser navigates to this address, which may be one of the app's."""
    if path == "/":
        return True
    folder, _, last = path.rpartition("/")
    # Files of the build lie at the top; below, a dot is part of the id of a visit.
    is_file = not folder and "." in last
    outside = path.startswith(("/v1", "/assets/", "/docs"))
    return b"text/html" in headers.get(b"accept", b"") and not is_file and not outside
