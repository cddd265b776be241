"""Documents of patients: files that are handed in for a visit, sealed, and judged.

values.py has what a document is and its states, frames.py the sealed form of a file;
ports.py is what the feature needs. keeping.py writes and reads files, judging.py
decides whether one is shown, sweeping.py removes what was left behind. All of it is
pure but for the ports. The blobs are those of ``care.blobs``.
"""
