"""Privacy: requests of people about their data, consents, erasure, retention; pure.

requests.py has the values, ports.py what the gateway needs from a store, readable.py
writes an export for people.
"""
