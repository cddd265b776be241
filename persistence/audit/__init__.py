"""The audit trail in SQL, its spool on the local disk and its anchors outside.

spool.py takes entries that must be durable before an answer, pending.py those that
are committed with what they are about; chain.py appends to the chains, sealing.py and
following.py feed it from pending entries and from the journal, anchors.py writes heads
to files, store.py reads.
"""
