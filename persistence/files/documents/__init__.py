"""What judges files of documents: decoders in bounded children, and clamd.

reading.py decides by a file's first bytes which decoder reads it, pdf_child.py is the
whole of the child that reads a PDF; clamd.py asks ClamAV. They implement
``FileReader`` and ``Scanner`` of ``care.patients.documents.ports``.
"""
