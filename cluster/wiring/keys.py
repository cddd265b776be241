"""Whether the keys of sealed data can be used: asked before anything is started."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from actors.errors import Unavailable
from care.keys.sealing import KeyEncryptionKeyWrong
from cluster.clock import SystemClock
from cluster.site.site import Site
from cluster.terminal.obstacle import Obstacle
from persistence.keys.ring import KeyRing
from persistence.sql.records import Records


async def check_keys(site: Site) -> None:
    """Return if every data key can be unwrapped, or the records do not answer.

    Raises:
        Obstacle: one cannot; sealed data would not be readable.
    """
    records = Records(site.records_url)
    try:
        await KeyRing(records, site.key_encryption_keys(), SystemClock()).check()
    except (Unavailable, DBAPIError):
        return  # bookings go on without the records; they are asked again later
    except KeyEncryptionKeyWrong as error:
        raise Obstacle(
            f"Sealed data cannot be read: {error}.",
            "Give back the key encryption key that it was wrapped with: in "
            "SLOTCAST_KEYS (after the new one, separated by a comma) or in "
            f"{site.folder.keys_file}. "
            "Without it names, addresses and reasons are lost; never remove one before "
            "`slotcast keys rotate` has run.",
        ) from None
    finally:
        await records.close()
