"""Series of visits: a course of treatment that is placed in one go.

``rules.py`` makes dates of a rule, ``preview.py`` says what is free of them,
``placing.py`` books them, and ``ports.py`` has what is kept of a series.
"""
