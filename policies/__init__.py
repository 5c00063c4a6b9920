"""Policies: plain functions over plain resources, which say what no stack may declare.

Unit tests run them over the recorded program, and the engine under `--policy-pack policies`. Nothing here
registers a resource, and the program never imports it.
"""
