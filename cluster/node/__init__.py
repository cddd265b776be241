"""One node of a cluster: its processes, how they start, are watched, and end.

Begin with plan.py (what runs) and supervisor.py (how it is kept running); gateway.py
and keeper.py are processes of a node, leaving.py hands its shards over, status.py and
status_table.py are ``slotcast cluster status``.
"""
