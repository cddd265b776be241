"""``slotcast work``: the process that runs background jobs.

worker.py claims and runs them, handlers.py says which function runs which kind, and
process.py is the life of the process.
"""
