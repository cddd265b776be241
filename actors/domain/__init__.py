"""The pure core: one provider's time as a deterministic state machine.

No clock, no waiting, no I/O. Begin with calendar/ (decisions and state), then messages/
(commands, events, answers) and time/ (cells, zones, opening hours). ids.py and rules.py
hold the values that all of them use.
"""
