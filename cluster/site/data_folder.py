"""The data folder: what is in it, how it is made, and why it may be refused.

::

    layout.json     format, shards, placement, cell: written last, so that a folder
                    without it was never finished
    lock            held (flock) by the one process that may write here
    run.json        that process: pid, port, Ray's address, its children
    seeded.json     written when the demo region is complete
    secrets/        token.key, keys and vapid.key, readable by their owner only
    journal/        the truth        snapshots/    calendars at rest
    readmodel/      SQL, can be rebuilt            logs/    what happened, rotated
    records.db      accounts, notices, jobs: cannot be made again
    outgoing/       messages to people, where there is no mail server
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from actors.placement import Placement
from cluster.site.run_file import describe_owner, owning
from cluster.site.settings import Settings
from cluster.terminal.obstacle import Obstacle

FORMAT = 1
"""The layout that this code writes and reads."""
KEY_BYTES = 32
"""Length of the token key: as long as the hash of HS256."""
_OURS_BEFORE_LAYOUT = frozenset({"lock", "run.json", "logs", "secrets"})
"""Entries that may exist in a folder whose making has not begun."""


class Layout(Struct, frozen=True):
    """The fixed properties of a site; ``made_on`` is a UTC date.

    A site whose journal is in Redis keeps it there, too, and that one is authoritative;
    each node's folder has a copy.
    """

    format: int
    shards: int
    placement: str
    cell_minutes: int
    made_on: str
    site_id: str = ""
    """Random; tells a site from another in the same place. Empty in old folders."""
    generation: int = 1
    """Generation of the active journals; ``slotcast reshard`` writes the next one."""
    isolated: dict[str, str] = {}
    """Providers with a shard of their own, and that shard's id."""


class DataFolder:
    """The paths of one data folder, and the rules for using it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.layout_file = self.path / "layout.json"
        self.lock_file = self.path / "lock"
        self.run_file = self.path / "run.json"
        self.seeded_file = self.path / "seeded.json"
        self.token_key_file = self.path / "secrets" / "token.key"
        self.keys_file = self.path / "secrets" / "keys"
        self.vapid_file = self.path / "secrets" / "vapid.key"
        self.cluster_secret_file = self.path / "secrets" / "cluster.secret"
        self.journal = self.path / "journal"
        self.snapshots = self.path / "snapshots"
        self.read_model = self.path / "readmodel"
        self.logs = self.path / "logs"

    def journal_of(self, generation: int) -> Path:
        """The journal files of a generation; the first one's folder has no number."""
        return self.journal if generation == 1 else self.path / f"journal-g{generation}"

    def snapshots_of(self, generation: int) -> Path:
        """The snapshots that belong to a generation's journal."""
        if generation == 1:
            return self.snapshots
        return self.path / f"snapshots-g{generation}"

    @property
    def sqlite_url(self) -> str:
        """SQLAlchemy's address of a read model in this folder."""
        return f"sqlite+aiosqlite:///{self.read_model / 'slotcast.sqlite3'}"

    @property
    def records_file(self) -> Path:
        """The records on SQLite: unlike the read model they cannot be made again."""
        return self.path / "records.db"

    @property
    def records_url(self) -> str:
        """SQLAlchemy's address of records in this folder."""
        return f"sqlite+aiosqlite:///{self.records_file}"

    # --- looking, without changing anything --------------------------------------

    def examine(self) -> Layout | None:
        """The layout; None if the folder does not exist or is empty.

        Raises:
            Obstacle: not a folder, not readable, half made, damaged, or too new.
        """
        with _explained(self.path):
            if not self.path.exists():
                return None
            if not self.path.is_dir():
                raise Obstacle(
                    f"{self.path} is a file; the data folder must be a folder.",
                    "Move the file away, or set SLOTCAST_DATA to another place.",
                )
            found = {entry.name for entry in self.path.iterdir()}
        if "layout.json" not in found:
            if found <= _OURS_BEFORE_LAYOUT:
                return None
            raise Obstacle(
                f"The data folder {self.path} is half written: it holds "
                f"{_some(found)} but no layout.json, which is written last.",
                "If it is the rest of an interrupted first start, remove it "
                f"(rm -r {self.path}) and start again; if it is a copy, copy "
                "layout.json too; if it is not Slotcast's, set SLOTCAST_DATA to "
                "another place.",
            )
        layout = self._read_layout()
        self._check_parts()
        return layout

    def _read_layout(self) -> Layout:
        try:
            layout = msgspec.json.decode(self.layout_file.read_bytes(), type=Layout)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Obstacle(
                f"The data folder is half written: {self.layout_file} is damaged "
                f"({error}).",
                "Put the folder back from a backup; or, if nothing in it matters, "
                f"remove it (rm -r {self.path}) and start again.",
            ) from error
        except OSError as error:
            raise Obstacle(
                f"{self.layout_file} cannot be read: {error.strerror}.",
                "Run as the user who owns the data folder.",
            ) from error
        if layout.format > FORMAT:
            raise Obstacle(
                f"The data folder {self.path} has format {layout.format}, made by a "
                f"newer Slotcast; this one knows format {FORMAT}.",
                "Run the newer version, or set SLOTCAST_DATA to another place.",
            )
        return layout

    def _check_parts(self) -> None:
        needed = (self.journal, self.snapshots, self.read_model)
        missing = [part.name + "/" for part in needed if not part.is_dir()]
        if not self.token_key_file.is_file():
            missing.append("secrets/token.key")
        if missing:
            raise Obstacle(
                f"The data folder {self.path} is half written: "
                f"{', '.join(missing)} is missing.",
                "Put the missing part back from a backup. Without the journal the "
                "bookings are lost; without the key every token given out is void.",
            )

    def check_matches(self, layout: Layout, settings: Settings) -> Settings:
        """The settings with what the folder fixes; refuses a contradiction.

        Raises:
            Obstacle: a fixed setting was given another value.
        """
        fixed = {
            "shards": layout.shards,
            "placement": Placement(layout.placement),
            "cell_minutes": layout.cell_minutes,
        }
        for name, value in fixed.items():
            asked = getattr(settings, name)
            if name in settings.model_fields_set and asked != value:
                raise Obstacle(
                    f"The data folder {self.path} was made with {name}={value}, "
                    f"but {name}={asked} is asked for; a setting does not change it.",
                    f"Leave SLOTCAST_{name.upper()} out (shards and placement are "
                    "changed by slotcast reshard), or set SLOTCAST_DATA to another "
                    "place to begin a new site.",
                )
        return settings.model_copy(update=fixed)

    # --- taking and making -------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder for writing by this process; creates the folder if needed.

        Raises:
            Obstacle: read-only, or locked by another process; says which.
        """
        with _explained(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise self.taken() from error
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def held(self, command: str) -> Iterator[None]:
        """``locked``, and owned by this command in the run file. Raises Obstacle."""
        with self.locked(), owning(self.run_file, command):
            yield

    def is_locked(self) -> bool:
        """Whether a process holds the lock just now."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def taken(self) -> Obstacle:
        """The obstacle of a folder that another process uses."""
        owner = describe_owner(self.run_file)
        return Obstacle(
            f"The data folder {self.path} is in use by {owner}.",
            "Stop that process first, or set SLOTCAST_DATA to another place.",
        )

    def make(
        self, settings: Settings, made_on: str, shared: Layout | None = None
    ) -> Layout:
        """Create the folder's contents; the layout last, atomically. Needs the lock.

        ``shared`` is the layout of a site that exists already, elsewhere: copied.
        """
        with _explained(self.path):
            for part in (self.journal, self.snapshots, self.read_model, self.logs):
                part.mkdir(exist_ok=True)
            self.token_key_file.parent.mkdir(mode=0o700, exist_ok=True)
            _create_secret(self.token_key_file)
            layout = shared or new_layout(settings, made_on)
            self.keep_layout(layout)
        return layout

    def keep_layout(self, layout: Layout) -> None:
        """Write this layout, atomically; folders of its generation are made before."""
        self.journal_of(layout.generation).mkdir(exist_ok=True)
        self.snapshots_of(layout.generation).mkdir(exist_ok=True)
        write_atomically(self.layout_file, msgspec.json.encode(layout) + b"\n")

    def check_writable(self) -> None:
        """Raises Obstacle if nothing can be written here."""
        probe = self.path / f".probe-{os.getpid()}"
        with _explained(self.path):
            probe.write_bytes(b"")
            probe.unlink()

    def token_key(self) -> bytes:
        """The secret that signs tokens.

        Raises:
            Obstacle: missing, too short, or readable by others than its owner.
        """
        try:
            mode = self.token_key_file.stat().st_mode & 0o777
            key = self.token_key_file.read_bytes()
        except OSError as error:
            raise Obstacle(
                f"The token key {self.token_key_file} cannot be read: "
                f"{error.strerror}.",
                "Start the server once (make run), or put the key back from a backup.",
            ) from error
        if mode & 0o077:
            raise Obstacle(
                f"The token key {self.token_key_file} can be read by others "
                f"(mode {mode:o}).",
                f"chmod 600 {self.token_key_file}; if others may have seen it, remove "
                "it and all tokens given out are void.",
            )
        if len(key) < KEY_BYTES:
            raise Obstacle(
                f"The token key {self.token_key_file} is too short to be safe.",
                "Put the key back from a backup.",
            )
        return key

    def cluster_secret(self) -> bytes:
        """The secret shared by the nodes of a cluster; empty if there is none here.

        Raises:
            Obstacle: others than its owner can read it.
        """
        path = self.cluster_secret_file
        if not path.exists():
            return b""
        with _explained(path):
            mode = path.stat().st_mode & 0o777
            secret = path.read_bytes().strip()
        if mode & 0o077:
            raise Obstacle(
                f"The cluster's secret {path} can be read by others (mode {mode:o}).",
                f"chmod 600 {path}; if others may have seen it, make a new one on all "
                "nodes.",
            )
        return secret

    # --- the demo region -----------------------------------------------------------

    def is_seeded(self) -> bool:
        """Whether the demo region is complete (or was not wanted)."""
        return self.seeded_file.exists()

    def mark_seeded(self, what: str) -> None:
        """Remember that the folder needs no more seeding."""
        write_atomically(self.seeded_file, msgspec.json.encode({"seed": what}) + b"\n")


def new_layout(settings: Settings, made_on: str) -> Layout:
    """The layout of a site that begins with these settings."""
    return Layout(
        format=FORMAT,
        shards=settings.shards,
        placement=settings.placement.value,
        cell_minutes=settings.cell_minutes,
        made_on=made_on,
        site_id=secrets.token_hex(8),
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file atomically and durably."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _create_secret(path: Path) -> None:
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """An operating system error as an obstacle with a remedy."""
    try:
        yield
    except OSError as error:
        reasons = {
            errno.EROFS: "is on a read-only file system",
            errno.EACCES: "may not be written by this user",
            errno.EPERM: "may not be written by this user",
            errno.ENOSPC: "is on a full disk",
            errno.ENOTDIR: "lies below a file, not a folder",
        }
        reason = reasons.get(error.errno or 0, f"cannot be used ({error.strerror})")
        raise Obstacle(
            f"The data folder {path} {reason}.",
            "Make it writable (chown, chmod, mount -o remount,rw), make room, or set "
            "SLOTCAST_DATA to a folder that this user may write.",
        ) from error


def _some(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")
