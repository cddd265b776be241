"""Grants over the records. Implements ``care.grants.ports``.

members.py has memberships and their invitations, guardians.py guardianships and
emergency access, platform.py accounts as administrators see them; stores.py puts them
together.
"""
