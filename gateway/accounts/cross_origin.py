"""Refuses pages of other origins where cookies are read or set.

``SameSite=Strict`` alone is no guard: a page on another port of the same host is of the
same site. Browsers that send ``Sec-Fetch-Site`` say whether the page is of this origin;
for the others ``Origin`` is compared. Programs send neither, and hold no cookies.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request

from gateway.accounts.refusals import CrossOrigin
from gateway.wire.errors import UnsupportedMedia


def check_same_origin(request: Request, public_url: str) -> None:
    """Return if the request can only come from a page of this site, or a program.

    Raises:
        CrossOrigin: a page of another origin sends it.
        UnsupportedMedia: it is not JSON; forms of any page could send it.
    """
    headers = request.headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise CrossOrigin
    elif not _is_own(headers.get("origin"), public_url, headers.get("host", "")):
        raise CrossOrigin
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise UnsupportedMedia


def _is_own(origin: str | None, public_url: str, host: str) -> bool:
    if origin is None:
        return True
    if public_url:
        return origin.lower() == _origin_of(public_url)
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
