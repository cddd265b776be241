"""Reports of a clinic and of the platform.

routes.py declares the routes, schemas.py what is asked and answered, service.py asks;
capacity.py finds the minutes that were open, tables.py makes rows for files.
"""
