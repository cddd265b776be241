"""``slotcast audit``: is the audit trail whole?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cluster.commands.options import DataOption, JsonOption
from cluster.site.site import Site, existing_site
from cluster.terminal.obstacle import FOUND_A_PROBLEM
from cluster.terminal.terminal import Terminal

if TYPE_CHECKING:
    from care.audit.verifying import AuditReport, FirstBad

audit = typer.Typer(help="The audit trail.", no_args_is_help=True)

_MEANS = {
    "changed": "the entry is another than was chained, or the one before it is",
    "removed": "entries are missing before it",
    "inserted": "it was added after the chain's end",
    "cut": "the end of the chain was cut off",
    "anchor": "it is not what was anchored outside of the database",
}


@audit.command()
def verify(
    *,
    tenant: Annotated[
        str, typer.Option(help="A clinic's id, or site. Without it: all.")
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every entry against its chain, the heads and the anchors.

    Reads only. Exit code 1 if anything was changed, removed, inserted, reordered or
    cut.
    """
    site = existing_site(data)
    terminal = Terminal()
    report = asyncio.run(_verified(site, tenant))
    if as_json:
        terminal.json(msgspec.to_builtins(report))
    else:
        _tell(terminal, report)
    if not report.ok:
        raise typer.Exit(FOUND_A_PROBLEM)


async def _verified(site: Site, tenant: str) -> AuditReport:
    from cluster.clock import SystemClock
    from persistence.audit.anchors import AuditAnchors
    from persistence.audit.store import SqlAudit
    from persistence.keys.ring import KeyRing
    from persistence.sql.records import Records

    clock = SystemClock()
    records = Records(site.records_url)
    try:
        ring = KeyRing(records, site.key_encryption_keys(), clock)
        anchors = AuditAnchors(records, ring, clock, site.audit_anchors)
        return await SqlAudit(records, ring, anchors).verify(tenant)
    finally:
        await records.close()


def _tell(terminal: Terminal, report: AuditReport) -> None:
    terminal.say(
        f"{report.entries:,} entries of {report.tenants:,} tenants; "
        f"{report.anchors:,} anchors compared"
    )
    for bad in report.bad:
        terminal.say(f"  {_line(bad)}")
    terminal.say("The trail is whole." if report.ok else "The trail was tampered with.")


def _line(bad: FirstBad) -> str:
    return f"{bad.tenant}, entry {bad.seq}: {bad.fault.value}: {_MEANS[bad.fault]}"
