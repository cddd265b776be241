"""Reports on SQL: the visits they count, and the questions compiled.

imported.py writes visits of other systems, compiling.py turns a question into
statements, days.py puts instants into days of a zone, queries.py asks and adds up.
"""
