"""Plain words to specialties: which kind of doctor a complaint may need.

ports.py has the port, keywords.py answers it from words alone, ranking.py has the score
that every implementation uses, danger.py finds words that call for help at once. The
texts are phrases.txt and danger.txt. It suggests and never decides: no triage.
"""
