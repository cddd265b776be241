"""The directory: clinics, entries of clinics and providers, specialties.

entry_routes.py and specialty_routes.py declare what is read and edited, service.py
does it, schemas.py has the bodies; photo_routes.py and photos.py have the photos,
profile_routes.py and profiles.py what a provider's calendar says of them.
``clinics`` has the records of clinics.
"""
