"""Locust's side of the load tests: simulated people, their sockets and views.

Importing Locust applies gevent's monkey patches to the whole process, so nothing
outside this package may import from it; what needs no Locust is in ``loadtests.load``.
"""
