"""Every policy, in the order of the docs."""

from policies import exposure, images, plain_text, state, workloads
from policies.policy import Policy

POLICIES: tuple[Policy, ...] = (
    images.fixed_image,
    images.known_registry,
    workloads.probes,
    workloads.bounded,
    exposure.closed_service,
    exposure.census,
    plain_text.no_plain_secret,
    state.shared_claim,
    state.protected_state,
    state.frozen_selector,
)
