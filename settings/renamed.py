"""Keys of released versions that have another name now."""

RENAMED = {
    "images.pullSecret": "pods.pullSecrets: [NAME]",
}
"""By the old path: what to write instead."""
