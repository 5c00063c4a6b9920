"""Annotations by which each ingress controller keeps a long request whole and passes it on unbuffered."""

from collections.abc import Callable, Mapping

MOST_BODY = "1024m"
"""Largest request body, as nginx writes it: its own 1 MiB is less than the files that users upload."""
MOST_DEREGISTRATION_DELAY = 3600
"""Longest time, in seconds, that an AWS load balancer lets a target which leaves finish its requests."""


def _nginx(seconds: int) -> Mapping[str, str]:
    prefix = "nginx.ingress.kubernetes.io"
    return {
        f"{prefix}/proxy-read-timeout": str(seconds),
        f"{prefix}/proxy-send-timeout": str(seconds),
        f"{prefix}/proxy-buffering": "off",
        f"{prefix}/proxy-request-buffering": "off",
        f"{prefix}/proxy-body-size": MOST_BODY,
    }


def _f5_nginx(seconds: int) -> Mapping[str, str]:
    return {
        # The next pod is asked after it; left out, after 60 s.
        "nginx.org/proxy-connect-timeout": "5s",
        "nginx.org/proxy-read-timeout": f"{seconds}s",
        "nginx.org/proxy-send-timeout": f"{seconds}s",
        "nginx.org/proxy-buffering": "false",
        "nginx.org/client-max-body-size": MOST_BODY,
    }


def _alb(seconds: int) -> Mapping[str, str]:
    delay = min(seconds, MOST_DEREGISTRATION_DELAY)
    return {
        "alb.ingress.kubernetes.io/load-balancer-attributes": f"idle_timeout.timeout_seconds={seconds}",
        # Otherwise requests of a pod that leaves are cut after 300 s.
        "alb.ingress.kubernetes.io/target-group-attributes": f"deregistration_delay.timeout_seconds={delay}",
    }


ANNOTATIONS: Mapping[str, Callable[[int], Mapping[str, str]]] = {
    # Streams; how long a request takes is its static configuration's to say, for no Ingress can.
    "traefik": lambda seconds: {},
    "nginx": _nginx,
    "f5-nginx": _f5_nginx,
    # HAProxy streams; only the time it waits for the next byte of a response has to grow from its 50 s.
    "haproxy": lambda seconds: {"haproxy.org/timeout-server": f"{seconds}s"},
    # The router, an HAProxy too, waits for 30 s.
    "openshift": lambda seconds: {"haproxy.router.openshift.io/timeout": f"{seconds}s"},
    "alb": _alb,
    # Google's timeout is that of a BackendConfig, which an annotation of the Service names.
    "gce": lambda seconds: {},
    "none": lambda seconds: {},
}
"""By controller: the annotations of a route whose requests take up to so many seconds."""
