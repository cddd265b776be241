"""Ids carry what a gateway must know of them, and no more."""

from __future__ import annotations

import pytest

from actors.domain.ids import (
    ProviderId,
    booking_id,
    hold_id,
    is_id,
    provider_of,
    time_off_id,
)

PROVIDER = ProviderId("prv_b7-x_1")


def test_an_owned_id_names_its_provider() -> None:
    """Holds, bookings and leaves find their calendar without a look-up."""
    for made in (
        hold_id(PROVIDER, "t1"),
        booking_id(PROVIDER, "t1"),
        time_off_id(PROVIDER, "t1"),
    ):
        assert provider_of(made) == PROVIDER


@pytest.mark.parametrize("text", ["", "hld_", "hld_1", "pat_1.x", "hld_1.x y"])
def test_a_malformed_id_names_nobody(text: str) -> None:
    assert provider_of(text) is None


def test_an_id_has_its_prefix() -> None:
    """And only the characters of ids."""
    assert is_id("prv_1", "prv")
    assert not is_id("prv_1", "pat")
    assert not is_id("prv_ä", "prv")
    assert not is_id("prv_" + "x" * 97, "prv")
