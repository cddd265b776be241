"""``slotcast serve``: the life of a server on one machine.

Begin with serve.py.
"""
