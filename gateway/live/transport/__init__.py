"""Bytes of the live socket: uvicorn's protocol, parsers, admission, writes.

Begin with uvicorn_protocol.py, then connection.py. It relies on internals of uvicorn
and websockets, which tests pin down.
"""
