"""The file with key encryption keys of a site that is configured with none."""

from __future__ import annotations

import contextlib
import os
import secrets
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from care.keys.sealing import KEY_BYTES, KeyEncryptionKeys, parsed_keys
from cluster.terminal.obstacle import Obstacle


def keys_of_file(path: Path) -> KeyEncryptionKeys:
    """The key encryption keys; the first call creates the file.

    Raises:
        Obstacle: the file cannot be used, or can be read by others.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _create(path)
        mode = path.stat().st_mode & 0o777
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise Obstacle(
            f"The key encryption keys {path} cannot be read: {error.strerror}.",
            "Let this user read it, or set SLOTCAST_KEYS.",
        ) from error
    if mode & 0o077:
        raise Obstacle(
            f"The keys in {path} can be read by others (mode {mode:o}).",
            f"chmod 600 {path}",
        )
    try:
        return parsed_keys(text)
    except ValueError as error:
        raise Obstacle(
            f"The key encryption keys {path} are not understood: the file {error}.",
            "Put the file back from a copy; without it sealed data is lost.",
        ) from None


def secret_of_file(path: Path) -> bytes:
    """A secret of 32 random bytes; the first call creates the file.

    Raises:
        Obstacle: the file cannot be used, or can be read by others.
    """
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _write(path, secrets.token_hex(KEY_BYTES))
        mode = path.stat().st_mode & 0o777
        text = path.read_text("ascii", "replace")
    except OSError as error:
        raise Obstacle(
            f"The secret {path} cannot be read: {error.strerror}.",
            "Let this user read it.",
        ) from error
    if mode & 0o077:
        raise Obstacle(
            f"The secret {path} can be read by others (mode {mode:o}).",
            f"chmod 600 {path}",
        )
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != KEY_BYTES:
        raise Obstacle(
            f"The secret {path} is damaged: it must be {2 * KEY_BYTES} digits.",
            "Put the file back from a copy, or remove it: another is made, and "
            "browsers must then be asked again to show notices.",
        )
    return found


def _create(path: Path) -> None:
    """Make a key encryption key, unless another process does so first."""
    key = secrets.token_bytes(KEY_BYTES)
    name = sha256(key).hexdigest()[:8]
    _write(path, f"{name}:{b64encode(key).decode()}")


def _write(path: Path, line: str) -> None:
    """Write a file for its owner alone, unless another process does so first."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    # A link, unlike a rename, never replaces a file that another process has created.
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
