"""The commands of ``slotcast``, one module per group; cluster/cli.py lists them.

A command parses its options, calls the package that does the work, and prints the
result for people or, with ``--json``, for programs. Begin with serving.py; options.py
has what several of them share.
"""
