"""State shared by gateways: rate budgets, revocations, hot pages, wake-ups, leases.

Adapters of care/sharing.py over Redis, one module for each port; memory.py is the
in-memory adapter, revocations_file.py the one for a site without Redis.
"""
