"""The commands of ``slotcast``, one module per word; cluster/cli.py lists them."""
