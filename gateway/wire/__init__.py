"""The JSON form of values: formats, fields, replies, errors, problems.

problems.py is the table of error codes; formats.py writes and reads instants and ids.
"""
