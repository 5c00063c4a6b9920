"""What must hold between sections, one module per subject; importing them fills the register."""

from settings.rules import (
    changes,
    cluster,
    environment,
    images,
    keys,
    monitoring,
    network,
    operated_database,
    recovery,
    replicas,
    state,
    surfaces,
    workloads,
)
from settings.rules.registry import RULES

__all__ = [
    "RULES",
    "changes",
    "cluster",
    "environment",
    "images",
    "keys",
    "monitoring",
    "network",
    "operated_database",
    "recovery",
    "replicas",
    "state",
    "surfaces",
    "workloads",
]
