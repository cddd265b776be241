"""Blobs: files of a site that are too large for rows, and pictures among them.

ports.py is what a feature needs from a store of blobs, pictures.py what it needs to
take pictures of strangers; both are implemented in ``persistence/files``. A blob is
only bytes: which feature it belongs to, and who may read it, is in that feature's rows.
"""
