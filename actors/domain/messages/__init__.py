"""Messages of a calendar: commands, events, answers, refusals, reads.

msgspec structs without behaviour. events.py is stored permanently in the journal: a new
field there needs a default.
"""
