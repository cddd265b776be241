"""The platform's administration.

role_routes.py shows the roles and what each may do, account_routes.py is for accounts
and platform roles, audit_routes.py for the audit trail, jobs_routes.py for background
jobs that failed.
"""
