"""Every policy, in the order of the docs."""

from policies import (
    exposure,
    images,
    kinds,
    monitoring,
    network,
    operated_database,
    plain_text,
    pod_security,
    state,
    workloads,
)
from policies.policy import Policy

POLICIES: tuple[Policy, ...] = (
    kinds.known_kind,
    images.fixed_image,
    images.known_registry,
    pod_security.pod_security,
    pod_security.no_account_token,
    pod_security.restricted_namespace,
    workloads.probes,
    workloads.bounded,
    exposure.closed_service,
    exposure.census,
    network.named_peers,
    plain_text.no_plain_secret,
    state.shared_claim,
    state.protected_state,
    state.frozen_selector,
    operated_database.operated_database,
    monitoring.scraped_here,
)
