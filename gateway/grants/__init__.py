"""Grants: members of clinics, guardians, broken glasses.

member_routes.py is for clinics, guardian_routes.py for patients and their guardians,
glass_routes.py for emergencies; service.py has what they share: invitations, and the
end of a grant, which takes its tokens back. Rules and ports are in ``care/grants``.
"""
