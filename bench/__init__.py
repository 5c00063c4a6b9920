"""Costs of the program: `python -m bench`, on the simulated lab.

Lives here: measurements, each a ratio or a difference of things measured in the same run. Never here: tests, since
a machine that is shared makes a timed test lie.
"""
