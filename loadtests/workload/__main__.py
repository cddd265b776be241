"""``python -m loadtests.workload``: see workload.py."""

from loadtests.workload.workload import main

raise SystemExit(main())
