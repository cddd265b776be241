"""Labels of a Ray node: set when its Ray is started, read when shards are placed.

Without Ray, so that a supervisor, which is no driver, can import them.
"""

from __future__ import annotations

from typing import Final

NODE_LABEL: Final = "slotcast-node"
"""The node's name; an operator knows no other."""
WEIGHT_LABEL: Final = "slotcast-weight"
"""The node's part of the shards; 0: only those that no other node can take."""
