"""Jobs in SQL: the jobs table, and the outbox that the projection writes.

queue.py implements ``care.jobs.ports`` over both.
"""
