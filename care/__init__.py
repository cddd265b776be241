"""Rules and ports of everything around the calendars; pure.

One sub-package per feature holds its values, rules and ports; the feature has the same
name here, in ``gateway`` (HTTP) and in ``persistence`` (SQL). Nothing here waits,
looks at a clock or performs I/O. Calendars (``actors``) decide who gets a slot; what
is here never does.
"""
