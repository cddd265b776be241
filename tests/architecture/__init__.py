"""Rules that are executed: layers, tidiness, the error table, ports and their twins."""
