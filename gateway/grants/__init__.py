"""Grants: members of clinics, guardians, emergency accesses, applications of doctors.

member_routes.py is for clinics, guardian_routes.py for patients and their guardians,
application_routes.py for doctors who want to work at a clinic, glass_routes.py for
emergencies; service.py has what they share: invitations, and the end of a grant, which
takes its tokens back. Rules and ports are in ``care/grants``.
"""
