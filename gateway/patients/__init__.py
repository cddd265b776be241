"""Patients: their profiles, their history, and a clinic's list of them.

routes.py is for people who treat and receive patients, own_routes.py for patients and
their guardians; service.py does the work, schemas.py has bodies and answers. Rules and
ports are in ``care/patients``.

privacy_routes.py is what people ask about their own data, privacy_deciding.py what
administrators answer; privacy.py does the work. Rules are in ``care/privacy``.
"""
