"""The lab's OCI images, built on a bare Debian machine without a container engine or a registry.

Here live one folder per image (its Containerfile and every file it takes) and what turns a folder into an
archive in the cache. Never here: what runs the images, or how they reach a node. What these images stand in
for, and what they do not reproduce, is said in docs/stand-ins.md.
"""
