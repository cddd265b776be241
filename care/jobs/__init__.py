"""Background jobs: work that is due, its outcomes, and when it is tried again.

jobs.py has the values and the rules, ports.py what a worker needs from a store. The
worker is ``cluster/work``, the stores are ``persistence/jobs``.
"""
