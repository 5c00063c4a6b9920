"""Addresses that answer with a machine's own credentials, which no pod may reach."""

from ipaddress import ip_network

METADATA = tuple(
    ip_network(address)
    for address in (
        "169.254.0.0/16",  # link-local: metadata of most clouds, and credentials of pods on EKS and ECS
        "fe80::/10",
        "fd00:ec2::/32",  # AWS over IPv6
        "168.63.129.16/32",  # Azure's host
        "100.100.100.200/32",  # Alibaba Cloud
        "192.0.0.192/32",  # Oracle Cloud, formerly
        "127.0.0.0/8",
        "::1/128",
    )
)
"""Ranges where clouds tell a machine, and whoever asks from it, who it is; and the machine itself."""


def reaches_metadata(cidr: str) -> bool | None:
    """Whether a range, larger ones included, holds such an address; None where the text is no range."""
    try:
        network = ip_network(cidr)
    except ValueError:
        return None
    if mapped := getattr(network.network_address, "ipv4_mapped", None):
        network = ip_network(f"{mapped}/{max(network.prefixlen - 96, 0)}", strict=False)
    return any(network.version == known.version and network.overlaps(known) for known in METADATA)


WIDEST = {4: 8, 6: 16}
"""Prefix length, by IP version, from which on a range can be a network that somebody runs."""
PRIVATE = ip_network("fc00::/7")
"""The one private range that is wider."""


def is_internet(cidr: str) -> bool:
    """Whether a range is a piece of the internet rather than a network."""
    network = ip_network(cidr)
    return network.prefixlen < WIDEST[network.version] and network != PRIVATE
