"""Section 5 of the guide against a live stack: a small function per check, composed by plan.py.

Lives here: checks from outside, each returning when all is well and raising when not.
Never here: anything that changes a stack (a flow that is run leaves its messages, as every client's do).
"""
