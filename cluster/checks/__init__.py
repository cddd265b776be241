"""Verification: journal, snapshots, SQL and memory must agree.

verification.py is ``slotcast verify``; clock_trust.py is the operator's confirmation of
a clock that is behind the journal (``slotcast journal trust-clock``).
"""
