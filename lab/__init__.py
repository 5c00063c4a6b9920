"""A real Kubernetes cluster on a bare Linux machine, and the Pulumi engine to use it with.

Here lives everything a machine without a cluster needs to run this project's program for real: toolchain, control plane,
nodes, images. Nothing here knows the program's inside: it runs `pulumi up` and reads the stack's outputs, as anyone would.
"""
