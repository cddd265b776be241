"""Grants: what gives an account a role besides being a patient; pure.

values.py has memberships, invitations, guardianships, emergency accesses and platform
roles, ports.py what a store of them must do. Each has an id that is in the tokens it
gives, so that its end takes them back. The stores are ``persistence/grants``.
"""
