"""What travels to and from a calendar: commands, events, answers, refusals, reads.

msgspec structs without behaviour. events.py is what the journal keeps for ever: a new
field there needs a default.
"""
