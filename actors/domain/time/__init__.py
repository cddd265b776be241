"""Time in the calendar: the grid of cells, zones, expanded opening hours.

grid.py has the units; openings.py turns weekly rules into spans of UTC minutes across
changes of the clock.
"""
