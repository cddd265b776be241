"""Reviews of visits: written by patients, moderated, answered by clinics.

``routes.py`` has the routes, ``service.py`` what they do, ``schemas.py`` the bodies and
answers. See decision 0114.
"""
