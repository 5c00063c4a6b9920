"""What no stack may declare: plain functions over plain resources, run by unit tests over the recorded program and by the
engine under `--policy-pack policies`. Nothing here registers a resource, and the program never imports it."""
