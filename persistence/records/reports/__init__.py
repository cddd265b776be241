"""Visits of other systems on SQL.

imported.py writes them into the read model, beside projected ones: ids are the
file's, so that a second import finds the same rows.
"""
