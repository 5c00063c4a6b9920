"""Annotations of routes: which keys an edge may be given, and which under protection."""

import re
from collections.abc import Iterator, Mapping

from settings.problems import Problem

_TAKEN = {
    r"pulumi\.com/.*": "how the program waits for the route and writes it: remove it",
    r"kubectl\.kubernetes\.io/.*|meta\.helm\.sh/.*": "what another tool notes: remove it",
    r"kubernetes\.io/ingress\.class": "the controller: write edge.ingress.className",
    r"cert-manager\.io/(cluster-)?issuer(-.*)?": "the certificates: write edge.issuer",
}
"""Keys that decide what another key of the stack file says, or nothing of the stack's, and what to do."""

_SAFE = re.compile(
    r"""
    [^/]+                                                      # a name without a prefix is nobody's but the operator's
    | external-dns\.alpha\.kubernetes\.io/.+
    | cert-manager\.io/(duration|renew-before|private-key-[-a-z]+|revision-history-limit)
    | traefik\.ingress\.kubernetes\.io/(router\..+|service\.(sticky\..+|serverstransport))
    | nginx\.ingress\.kubernetes\.io/(
          proxy-(?!ssl-|redirect-|set-|cookie-).+ | limit-.+ | client-body-buffer-size | (white|allow|deny)list-source-range
        | (force-)?ssl-redirect | affinity.* | session-cookie-.+ | load-balance | backend-protocol | enable-access-log
        | auth-(type|realm|secret|secret-type) | auth-tls-(secret|verify-client|verify-depth)
      )
    | nginx\.org/(proxy-(connect|read|send)-timeout|proxy-buffer.+|client-max-body-size|limit-req-.+|hsts.*|lb-method)
    | haproxy\.org/(timeout-.+|rate-limit-.+|(white|allow|deny)-?list|ssl-redirect|load-balance|cookie-persistence)
    | haproxy\.router\.openshift\.io/(timeout.*|rate-limit-.+|ip_(white|allow)list|balance|hsts_header)
    | alb\.ingress\.kubernetes\.io/(?!actions|conditions|transforms|auth-|use-annotation).+
    | kubernetes\.io/ingress\.(global-static-ip-name|regional-static-ip-name|allow-http)
    | ingress\.gcp\.kubernetes\.io/pre-shared-cert
    | networking\.gke\.io/(managed-certificates|v1beta1\.FrontendConfig)
    | (beta\.)?cloud\.google\.com/backend-config | cloud\.google\.com/neg
    | konghq\.com/((connect|read|write)-timeout | retries)
    | appgw\.ingress\.kubernetes\.io/(request-timeout|connection-draining.*|ssl-redirect|waf-policy-for-path)
    """,
    re.VERBOSE,
)
"""Keys that carry timeouts, sizes, limits, addresses, certificates or who may come in, and no route or code."""

_CODE = re.compile(r"snippet|lua", re.IGNORECASE)
_ON_ONLY = re.compile(r".*/(force-)?ssl-redirect", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f]")
_DIRECTIVE = re.compile(r"[;{}#$`\\]")
"""What ends a directive of nginx or HAProxy, whose controllers write values into its configuration as they are."""


def annotation_problems(path: str, annotations: Mapping[str, str], *, protected: bool) -> Iterator[Problem]:
    """What is wrong with the annotations at a path of the stack file."""
    for key, value in annotations.items():
        taken = [remedy for keys, remedy in _TAKEN.items() if re.fullmatch(keys, key)]
        if taken:
            decided, _, remedy = taken[0].partition(": ")
            yield Problem(
                path=f"{path}.{key}",
                found=f"an annotation that decides {decided}",
                allowed="annotations for the controller at hand",
                remedy=remedy,
            )
        elif protected and (_CODE.search(key) or not _SAFE.fullmatch(key)):
            yield Problem(
                path=f"{path}.{key}",
                found="an annotation that is not known to be harmless",
                allowed="timeouts, sizes, limits, addresses, certificates and who may come in, under protection",
                remedy="remove it; routes and hosts are `surfaces`' to open, "
                "and what every route needs belongs into the controller's own configuration",
            )
        elif protected and _ON_ONLY.fullmatch(key) and value.lower() not in ("true", "443"):
            yield Problem(
                path=f"{path}.{key}",
                found="a route that answers without TLS",
                allowed='"true" under protection',
                remedy="remove it, or write true",
            )
        elif protected and _says_more(key, value):
            yield Problem(
                path=f"{path}.{key}",
                found="a value that may mean more to the controller than the key says",
                allowed="plain words, numbers and addresses, under protection",
                remedy="write the plain value alone",
            )


def _says_more(key: str, value: str) -> bool:
    written = re.search(r"nginx|haproxy", key.partition("/")[0]) and _DIRECTIVE.search(value)
    return bool(
        written or _CONTROL.search(value) or (key.endswith("/ingress.allow-http") and value != "false")
    )
