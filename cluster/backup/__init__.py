"""Backup and restore of a whole site, to a folder or to Azure Blob Storage."""
