"""The audit trail: who changed and who read what, in a chain that shows tampering.

entries.py has the values and the chain, of_events.py makes entries of the journal's
events, verifying.py finds what was changed, ports.py is what the gateway needs. The
stores are ``persistence/audit``.
"""
