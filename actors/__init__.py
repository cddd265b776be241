"""Who decides who gets time, and who carries the deciders."""
