"""Reports on visits, and the visits of another system that they count.

visits.py has an imported visit, questions.py what can be asked, leads.py the intervals
of lead times, comparing.py what shares are worth beside each other, answers.py what is
answered. Ports are in ports.py; decisions 0112 and 0113 say why.
"""
