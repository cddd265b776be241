"""Benchmarks of whole servers, with plain servers to compare with.

bookings.py measures bookings over REST; servers.py starts the servers: Slotcast,
plain_server.py (no durability) and plain_sql.py (one transaction per booking).
services.py measures with real MariaDB and Redis.
"""
