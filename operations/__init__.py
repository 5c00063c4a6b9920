"""Commands of an operator on a stack that runs: `python -m operations …`.

Lives here: commands that look at a stack, or act on it, from outside; they know only its outputs (stack.py).
Never here: how a stack is made (settings/, components/), or where its cluster comes from (lab/).
"""
