"""Load tests, replays and benchmarks, from outside: they know the wire, not the code.

Only HTTP, the live socket and the Python client are used. load/ has budgets and
reports; swarm/ and crowd/ make the load, workload/ the bookings, wire/ the lean
clients; bench/ and blink/ are single measurements.
"""
