"""Stores of blobs: a folder, and Azure Blob Storage.

folder.py is what a site of one machine uses, azure.py what several share; both keep
what ``care.blobs.ports`` promises, which one contract test asks of each.
"""
