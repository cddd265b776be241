"""``slotcast accounts``: the first administrator, and one who lost every factor.

Everything else about accounts is done by administrators who are signed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.options import DataOption
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import Obstacle
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from persistence.grants.operating import Operated, SqlOperating

accounts = typer.Typer(
    help="Accounts, where no administrator can help.", no_args_is_help=True
)

Address = Annotated[str, typer.Argument(help="The account's e-mail address.")]


@accounts.command("make-admin")
def make_admin(email: Address, *, data: DataOption = None) -> None:
    """Make an account an administrator of the platform.

    The address is registered at the site first, and confirmed. Administrators who are
    signed in make further ones.
    """
    from cluster.clock import SystemClock
    from gateway.accounts.needs import RandomIds
    from persistence.grants.operating import Operated

    done = asyncio.run(
        _operated(
            existing_site(data),
            lambda it: it.make_admin(
                email, RandomIds().id("plr"), now=SystemClock().now()
            ),
        )
    )
    _check(done, email)
    if done is Operated.WAS_ALREADY:
        Terminal().say(f"{email} is an administrator of the platform already.")
        return
    Terminal().say(
        f"{email} is an administrator of the platform, from the next sign-in on."
    )


@accounts.command("reset-factors")
def reset_factors(email: Address, *, data: DataOption = None) -> None:
    """Remove an account's second factors, whose owner has lost all of them.

    Find out first that it is the owner who asks. The account is signed out: its last
    tokens live for ten minutes at most. The owner is told by mail.
    """
    from cluster.clock import SystemClock
    from gateway.accounts.mails import AccountMails

    site = existing_site(data)
    notice = AccountMails(site.settings.site_url).factors_reset(email)
    done = asyncio.run(
        _operated(
            site,
            lambda it: it.reset_factors(email, notice, now=SystemClock().now()),
        )
    )
    _check(done, email)
    Terminal().say(
        f"{email} signs in with the password alone, once, and adds a new one."
    )


def _check(done: Operated, email: str) -> None:
    """Raises Obstacle: there is no such account, or it cannot sign in."""
    from persistence.grants.operating import Operated

    if done is Operated.UNKNOWN:
        raise Obstacle(
            f"No account has the address {email}.",
            "Register it at the site first, and confirm it by the mail's link.",
        )
    if done is Operated.UNCONFIRMED:
        raise Obstacle(
            f"The account of {email} cannot sign in: the address is not confirmed, "
            "or the account is disabled.",
            "Open the link in the mail, or let an administrator enable the account.",
        )


async def _operated(
    site: Site, act: Callable[[SqlOperating], Awaitable[Operated]]
) -> Operated:
    from cluster.clock import SystemClock
    from persistence.grants.operating import SqlOperating
    from persistence.keys.ring import KeyRing
    from persistence.sql.records import Records

    records = Records(site.records_url)
    try:
        ring = KeyRing(records, site.key_encryption_keys(), SystemClock())
        return await act(SqlOperating(records, ring))
    finally:
        await records.close()
