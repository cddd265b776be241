"""When two licences are the same one; pure."""

from __future__ import annotations

from unicodedata import normalize


def compared_licence(number: str, registry: str = "") -> str:
    """What is compared: letters and digits, whatever their case and what is between.

    Empty for a number without either. The country is compared apart.
    """
    kept = _kept(number)
    return f"{_kept(registry)}|{kept}" if kept and _kept(registry) else kept


def _kept(text: str) -> str:
    # Casefolding may undo the normal form; half the world's digits have variants.
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return "".join(one for one in folded if one.isalnum())
