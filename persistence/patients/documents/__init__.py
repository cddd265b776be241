"""Documents of patients over the records: their states, their keys, their quotas.

store.py implements ``care.patients.documents.ports.DocumentRows``; models.py has the
table. The files themselves are blobs.
"""
