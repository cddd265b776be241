"""The composition root: settings, wiring, the ``slotcast`` command.

Begin with cli.py and commands/. server/ is one machine, node/ and keeping/ are a
cluster; wiring/ puts adapters into ports.
"""
