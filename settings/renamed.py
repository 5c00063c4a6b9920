"""Keys of released versions that have another spelling now."""

RENAMED = {
    "backup.size": "write backup.to: {claim: {size: SIZE}}",
    "backup.className": "write backup.to: {claim: {className: NAME}}",
    "backup.existingClaim": "write backup.to: {claim: {existingClaim: NAME}}",
    "images.pullSecret": "write pods.pullSecrets: [NAME]",
    "network.edgeNamespace": "write network.edge: [{namespace: NAME}] with the namespace that stood here",
}
"""By path of the key: the spelling of now, as the remedy of a refusal."""
