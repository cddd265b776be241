"""The composition root: settings, wiring, the ``slotcast`` command."""
