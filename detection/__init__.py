"""Texts judged by their form: a secret, or an image that moves.

Shared by settings, policies and operations, which all judge the same texts; imports none of them.
"""
