"""The platform's administration.

role_routes.py shows the roles and what each may do, audit_routes.py the audit trail.
"""
