"""The platform's administration: roles, accounts, platform roles.

An ordinary feature: role_routes.py is a ``FeatureRouter`` over the accounts of
care/people, for administrators of the platform only.
"""
