"""Time as the calendar sees it: the grid of cells, zones, opening hours expanded.

grid.py has the units; openings.py turns weekly rules into spans of UTC minutes across
changes of the clock.
"""
