"""The whole system from one seed, in virtual time: see docs/simulation.md."""
