"""The directory: what a search for care knows of clinics, providers and specialties.

entries.py has the values and their rules, specialties.py the list of specialties with
their synonyms, words.py how words are compared, ports.py what the feature needs from
its stores. The search itself is ``gateway/directory/roster``.
"""
