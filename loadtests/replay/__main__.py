"""``python -m loadtests.replay``: see replay.py."""

from loadtests.replay.replay import main

raise SystemExit(main())
