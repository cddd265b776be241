"""Documents of patients over REST: handed in, listed, downloaded, removed.

routes.py is all of it; service.py has the steps, files.py streams a file, links.py
signs short-lived addresses, schemas.py has bodies and answers. Rules and ports are in
``care/patients/documents``.
"""
