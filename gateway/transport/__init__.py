"""HTTP connections below uvicorn: bounds, deadlines, early refusals.

http_protocol.py is one connection, connections.py is all of them.
"""
