"""The ``slotcast`` command.

Exit codes: 0 success, 1 a problem was found, 2 usage or environment. An error is one
sentence on the cause and one on the remedy; traces go to a file.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path

import typer

from actors.errors import SchedulingError
from cluster.commands.accounts import accounts
from cluster.commands.audit import audit
from cluster.commands.backups import backup, restore
from cluster.commands.clustering import cluster, gateway, keep
from cluster.commands.doctor import doctor
from cluster.commands.importing import importing, seed
from cluster.commands.journals import journal
from cluster.commands.keys import keys
from cluster.commands.moving import drain, rebalance, restart_shards, undrain
from cluster.commands.noticing import notices
from cluster.commands.options import JsonOption
from cluster.commands.projecting import project
from cluster.commands.projections import directory, migrate, projection
from cluster.commands.resharding import isolate, reshard
from cluster.commands.serving import serve
from cluster.commands.statuses import status
from cluster.commands.tokens import token
from cluster.commands.verifying import verify
from cluster.commands.watching import watch
from cluster.commands.working import jobs, work
from cluster.site.version import version_text
from cluster.terminal.obstacle import FOUND_A_PROBLEM, Obstacle
from cluster.terminal.terminal import Terminal

INTERRUPTED = 130

app = typer.Typer(
    name="slotcast",
    help="Live scheduling for medical care.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.add_typer(token, name="token")
app.command()(seed)
app.add_typer(importing, name="import")
app.command()(project)
app.command()(work)
app.add_typer(jobs, name="jobs")
app.add_typer(notices, name="notices")
app.command()(migrate)
app.command()(status)
app.command()(watch)
app.add_typer(journal, name="journal")
cluster.command()(isolate)
cluster.command()(drain)
cluster.command()(undrain)
cluster.command()(rebalance)
cluster.command()(restart_shards)
app.add_typer(cluster, name="cluster")
app.command(hidden=True)(gateway)
app.command(hidden=True)(keep)
app.add_typer(projection, name="projection")
app.add_typer(directory, name="directory")
app.command()(verify)
app.add_typer(accounts, name="accounts")
app.add_typer(audit, name="audit")
app.add_typer(keys, name="keys")
app.command()(doctor)
app.command()(backup)
app.command()(restore)
app.command()(reshard)


@app.command()
def version(*, as_json: JsonOption = False) -> None:
    """Print the version."""
    terminal = Terminal()
    if as_json:
        terminal.json({"version": version_text(), "python": sys.version.split()[0]})
    else:
        terminal.say(f"slotcast {version_text()}")


def main() -> int:
    """Run the command line; the exit code."""
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - people get a sentence
        return explained(error)
    return 0


def explained(error: BaseException) -> int:
    """Say what ended a command, and what to do; the exit code."""
    terminal = Terminal()
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, Obstacle):
        terminal.trouble(error)
        return error.code
    if isinstance(error, SchedulingError):
        terminal.trouble(
            Obstacle(f"The command failed: {error}", "Try again in a few seconds.")
        )
        return FOUND_A_PROBLEM
    found = _database_trouble(error) or _defect(error)
    terminal.trouble(found)
    return found.code


def _database_trouble(error: BaseException) -> Obstacle | None:
    """The obstacle, if the read model's database caused the error."""
    known = sys.modules.get("sqlalchemy.exc")
    if known is None:  # no database was used
        return None
    from persistence.readmodel.projection.store import StoreUnavailable
    from persistence.sql.damage import is_damaged
    from persistence.sql.engine import is_data_error, reason_of

    if isinstance(error, known.DBAPIError) and is_data_error(error):
        return None
    if not isinstance(error, known.DBAPIError | known.TimeoutError | StoreUnavailable):
        return None
    if is_damaged(error):
        return Obstacle(
            f"The read model is damaged: {reason_of(error)}",
            "It is made from the journal, and nothing is lost. A running server puts "
            "it aside and makes a new one by itself; without one: slotcast projection "
            "rebuild",
            code=FOUND_A_PROBLEM,
        )
    return Obstacle(
        f"The read model's database returned an error: {reason_of(error)}",
        "Start it, or check SLOTCAST_DATABASE (address, name, password, rights). "
        "Bookings go on without it.",
        code=FOUND_A_PROBLEM,
    )


def _defect(error: BaseException) -> Obstacle:
    """An internal error as a sentence; the trace is written to a file."""
    path = Path(tempfile.gettempdir()) / f"slotcast-{os.getpid()}.log"
    trace = "".join(traceback.format_exception(error))
    path.write_text(trace, encoding="utf-8")
    return Obstacle(
        f"This is a defect of Slotcast: {type(error).__name__}: {error}",
        f"Please report it with the trace in {path}.",
        code=FOUND_A_PROBLEM,
    )
