"""The read model in memory, for tests and the simulation.

readmodel.py has the reference semantics of the projection store, directory.py of the
directory and of booking history. The contract tests run on it and on SQL.
"""
