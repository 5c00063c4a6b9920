"""A preview as a verdict: what a change would lose, interrupt, open and roll, before it happens.

Lives here: the reading of `pulumi preview --json`, its judgement, and its three forms (Markdown, text, JSON).
Never here: anything that runs an engine or asks a cluster.
"""
