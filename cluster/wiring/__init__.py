"""Which adapter goes into which port.

calendars.py for shards, gateway.py for a gateway, shared.py for what gateways share.
"""
