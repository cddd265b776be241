"""Pictures of strangers, decoded and made again in a bounded child process.

reencoding.py starts the child, child.py is the whole of it: nothing else of the product
is loaded there. Implements ``care.blobs.pictures.Pictures``.
"""
