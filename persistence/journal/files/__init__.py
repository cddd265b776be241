"""The journal as files: one append is one frame.

Begin with journal.py, then wal.py and format.py; tail.py cuts a torn end, fence.py
excludes former owners.
"""
