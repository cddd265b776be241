"""The cookies of signing in: their names, how they are set and cleared.

``__Host-`` binds them to this host, TLS and the path ``/``. Cookies know no ports, so
the name holds four characters of the site: two sites on one host keep apart.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal

from fastapi import Response

_FLOW_S: Final = 600
_YEAR_S: Final = 365 * 24 * 3600


class AuthCookies:
    """Sets and clears the cookies of one site; ``key`` is the site's own."""

    def __init__(self, key: bytes) -> None:
        site = sha256(b"cookies|" + key).hexdigest()[:4]
        self.refresh = f"__Host-slotcast_rt_{site}"
        self.device = f"__Host-slotcast_dv_{site}"
        self.flow = f"__Host-slotcast_oidc_{site}"

    def set_refresh(
        self, response: Response, token: str, max_age_s: int | None
    ) -> None:
        """The refresh token; without ``max_age_s`` it ends with the browser."""
        _set(response, self.refresh, token, max_age_s)

    def set_device(self, response: Response, value: str) -> None:
        """That this browser has signed in before."""
        _set(response, self.device, value, _YEAR_S)

    def set_flow(self, response: Response, secret: str) -> None:
        """That this browser left for a provider.

        Lax: it comes back by a link of the provider's page, where Strict is not sent.
        """
        _set(response, self.flow, secret, _FLOW_S, samesite="lax")

    def clear_flow(self, response: Response) -> None:
        """That it has come back."""
        _set(response, self.flow, "", 0, samesite="lax")

    def cleared(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that take the refresh token back."""
        response = Response()
        response.delete_cookie(
            self.refresh, path="/", secure=True, httponly=True, samesite="strict"
        )
        return tuple(
            (name, value)
            for name, value in response.raw_headers
            if name == b"set-cookie"
        )


def _set(
    response: Response,
    name: str,
    value: str,
    max_age_s: int | None,
    *,
    samesite: Literal["strict", "lax"] = "strict",
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=max_age_s,
        path="/",
        secure=True,
        httponly=True,
        samesite=samesite,
    )
