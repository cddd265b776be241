"""Output of commands in a terminal.

terminal.py prints results and progress, obstacle.py is an error with its remedy,
alongside.py runs work beside a block. watching.py and watch_lines.py are ``slotcast
watch``.
"""
