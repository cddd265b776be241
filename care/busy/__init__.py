"""Busy times: a doctor's own calendar elsewhere, read from an address, as time off.

spans.py says which time off follows from busy times, ports.py what gateway and worker
need of the store, and reading.py reads a calendar's text; it runs in a process of its
own (``care.busy.apart``), since the text is another company's.
"""
