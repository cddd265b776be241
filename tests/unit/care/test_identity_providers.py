"""Profiles of identity providers: strict unless they say otherwise."""

from __future__ import annotations

import json

import pytest

from care.accounts.providers import IdentityProvider, is_safe_url, parsed_providers

_GIVEN = {"name": "clinic", "client_id": "slotcast", "secret": "a secret"}
_ISSUER = {"issuer": "https://id.example.org"}


def _one(**fields: object) -> IdentityProvider:
    (found,) = parsed_providers(json.dumps([fields]))
    return found


def test_what_is_not_said_is_strict() -> None:
    """PKCE and nonce, no trust in addresses, the secret in the header."""
    one = _one(**_GIVEN, **_ISSUER)
    assert (one.pkce, one.nonce, one.client_auth) == ("S256", "required", "basic")
    assert (one.email_trusted, one.title) == (False, "clinic")
    assert parsed_providers("") == ()


def test_presets_hold_what_their_providers_need() -> None:
    """Three of them; what is given beside a preset wins."""
    found = parsed_providers(
        json.dumps(
            [
                {"preset": name, "client_id": "id", "secret": "s"}
                for name in ("google", "facebook", "linkedin")
            ]
        )
    )
    assert [one.name for one in found] == ["google", "facebook", "linkedin"]
    google, facebook, linkedin = found
    assert google.issuer == "https://accounts.google.com"
    assert (google.pkce, google.nonce) == ("S256", "required")
    assert facebook.has_endpoints
    assert not facebook.email_trusted
    assert linkedin.issuer == "https://www.linkedin.com/oauth"
    assert (linkedin.pkce, linkedin.nonce) == ("off", "absent")
    named = _one(preset="google", name="ours", client_id="id", secret="s")
    assert (named.name, named.title) == ("ours", "Google")


@pytest.mark.parametrize(
    "fields",
    [
        _GIVEN,
        {**_GIVEN, "issuer": "http://id.example.org"},
        {**_GIVEN, "issuer": "https://user:pass@id.example.org"},
        {**_GIVEN, **_ISSUER, "secret": ""},
        {**_GIVEN, **_ISSUER, "name": "no/name"},
        {**_GIVEN, **_ISSUER, "scopes": ["email"]},
        {**_GIVEN, **_ISSUER, "pkce": "plain"},
        {**_GIVEN, **_ISSUER, "nonse": "absent"},
        {**_GIVEN, **_ISSUER, "token_endpoint": "https://id.example.org/token"},
        {**_GIVEN, "preset": "myspace"},
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused_without_its_secret(
    fields: dict[str, object],
) -> None:
    """A slip in a setting must not weaken it, nor show in a message."""
    with pytest.raises(ValueError, match=r"\w") as found:
        _one(**fields)
    assert "a secret" not in str(found.value)


def test_lists_are_bounded_and_name_each_once() -> None:
    """Two of one name would share an address to come back to."""
    one = {**_GIVEN, **_ISSUER}
    many = [{**one, "name": f"p{n}"} for n in range(21)]
    wrong: tuple[object, ...] = ([one, one], many, {}, 7)
    for listed in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            parsed_providers(json.dumps(listed))


def test_no_secret_is_shown() -> None:
    """Not by repr either, which traces use."""
    assert "a secret" not in repr(_one(**_GIVEN, **_ISSUER))


@pytest.mark.parametrize(
    ("url", "issuer", "is_safe"),
    [
        ("https://id.example.org/token", "https://id.example.org", True),
        ("https://graph.example.com/token", "https://id.example.org", True),
        ("http://id.example.org/token", "https://id.example.org", False),
        ("https://169.254.169.254/token", "https://id.example.org", False),
        ("https://10.0.0.1/token", "https://id.example.org", False),
        ("https://[::1]/token", "https://id.example.org", False),
        ("https://0x7f.1/token", "https://id.example.org", False),
        ("https://2130706433/token", "https://id.example.org", False),
        ("https://localhost/token", "https://id.example.org", False),
        ("https://10.0.0.1/token", "https://10.0.0.1", True),
        ("http://127.0.0.1:9/token", "http://127.0.0.1:9", True),
        ("http://10.0.0.1/token", "http://10.0.0.1", False),
        ("http://127.0.0.1/token", "https://id.example.org", False),
        ("file:///etc/passwd", "https://id.example.org", False),
        ("https://[oops/token", "https://id.example.org", False),
        ("", "https://id.example.org", False),
    ],
)
def test_only_safe_addresses_are_called(url: str, issuer: str, is_safe: bool) -> None:
    """https; an address in place of a name only if it is the issuer's own."""
    assert is_safe_url(url, issuer) is is_safe
