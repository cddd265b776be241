"""Backup and restore of a whole site, to a folder or to Azure Blob Storage.

saving.py makes a backup, restoring.py restores one into the empty installation of
target.py. manifest.py and parts.py are the format; places.py and azure.py store it;
homes.py checks that each calendar belongs to one shard.
"""
