"""``python -m cluster`` is ``slotcast``."""

import sys

from cluster.cli import main

sys.exit(main())
