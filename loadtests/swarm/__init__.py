"""Locust's side of the load tests: people, their sockets, and what they see.

Importing Locust makes the whole process cooperative, so nothing outside of this
package may import from it; what needs no Locust is in ``loadtests.load``.
"""
