"""Policies about what a pod may do to its node and to the cluster.

The namespace that a stack makes enforces Pod Security `restricted`; one that exists already may not, so the policies do.
Fields and allowed values are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.policy import policy
from policies.resources import Resource, Stack, mapping, mappings, strings

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
)
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROFILES = ("RuntimeDefault", "Localhost")
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


@policy(
    why="A process that is root, or that sees its node, is one flaw away from every other pod of the node. A namespace "
    "that existed before (`namespace.create: false`) may refuse nothing of it.",
    remedy="Harden the pod as `components/pods.py` does; what needs more of its node belongs in a namespace of its own.",
)
def pod_security(resource: Resource, stack: Stack) -> Iterator[str]:
    """Every pod passes Pod Security `restricted`, whatever its namespace enforces."""
    pod = resource.pod
    security = mapping(pod.get("securityContext"))
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"the pod has {field}"
    for volume in mappings(pod.get("volumes")):
        for kind in sorted(volume.keys() - _VOLUMES - {"name"}):
            yield f"the volume {volume.get('name')} is a {kind}, not one of {', '.join(sorted(_VOLUMES))}"
    for row in mappings(security.get("sysctls")):
        if row.get("name") not in _SYSCTLS:
            yield f"the pod sets the sysctl {row.get('name')}"
    for name, profile in resource.pod_annotations.items():
        if name.startswith(_APPARMOR) and not str(profile).startswith(("runtime/default", "localhost/")):
            yield f"the annotation {name} is {profile}, neither runtime/default nor localhost/…"
    yield from (f"the pod has {found}" for found in _security(security))
    if security.get("runAsNonRoot") is False:
        yield "the pod has runAsNonRoot false"
    for container in resource.containers:
        yield from (
            f"the container {container.get('name')} has {found}" for found in _container(container, security)
        )


def _container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    """Faults of a container; a field it leaves out is its pod's."""
    own = mapping(container.get("securityContext"))
    yield from _security(own)
    if own.get("privileged"):
        yield "privileged true"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "no allowPrivilegeEscalation: false"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "no runAsNonRoot: true, and neither has its pod"
    if "seccompProfile" not in own and "seccompProfile" not in pod:
        yield f"no seccompProfile of type {' or '.join(_PROFILES)}, and neither has its pod"
    if own.get("procMount") not in (None, "Default"):
        yield f"procMount {own['procMount']}"
    capabilities = mapping(own.get("capabilities"))
    if "ALL" not in strings(capabilities.get("drop")):
        yield "capabilities that do not drop ALL"
    for added in sorted({*strings(capabilities.get("add"))} - {"NET_BIND_SERVICE"}):
        yield f"the capability {added}"
    for port in mappings(container.get("ports")):
        if port.get("hostPort"):
            yield f"the hostPort {port['hostPort']}"
    lifecycle = mapping(container.get("lifecycle"))
    handlers = [container.get(f"{probe}Probe") for probe in ("startup", "readiness", "liveness")]
    for handler in (*handlers, lifecycle.get("postStart"), lifecycle.get("preStop")):
        for action in ("httpGet", "tcpSocket"):
            if mapping(mapping(handler).get(action)).get("host"):
                yield f"a {action} of another host"


def _security(context: Mapping[str, Any]) -> Iterator[str]:
    """Faults that the securityContext of a pod and of a container have in common."""
    if context.get("runAsUser") == 0:
        yield "runAsUser 0"
    for profile, allowed in (("seccompProfile", _PROFILES), ("appArmorProfile", _PROFILES)):
        if profile in context and (type_ := mapping(context[profile]).get("type")) not in allowed:
            yield f"{profile} {type_}, not {' or '.join(allowed)}"
    selinux = mapping(context.get("seLinuxOptions"))
    for field in ("user", "role"):
        if selinux.get(field):
            yield f"seLinuxOptions.{field}"
    if selinux.get("type") and selinux["type"] not in _SELINUX_TYPES:
        yield f"seLinuxOptions.type {selinux['type']}, not one of {', '.join(_SELINUX_TYPES)}"
    if mapping(context.get("windowsOptions")).get("hostProcess"):
        yield "windowsOptions.hostProcess"


@policy(
    why="Whoever breaks into a pod asks the API server for whatever the pod's account may read; SkillFlaw asks it nothing.",
    remedy="Set `automountServiceAccountToken: false` on the pod, and mount or make no token.",
)
def no_account_token(resource: Resource, stack: Stack) -> Iterator[str]:
    """No pod holds a token of a ServiceAccount, and no Secret is one."""
    if resource.pod and resource.pod.get("automountServiceAccountToken") is not False:
        yield "the pod has no automountServiceAccountToken: false"
    for volume in mappings(resource.pod.get("volumes")):
        for source in mappings(mapping(volume.get("projected")).get("sources")):
            if "serviceAccountToken" in source:
                yield f"the volume {volume.get('name')} projects a serviceAccountToken"
    if resource.kind == "Secret" and resource.at("type") == "kubernetes.io/service-account-token":
        yield "the Secret is a token that never expires"


@policy(
    why="The namespace is the second lock: it refuses what somebody starts by hand, which no policy sees.",
    remedy="Label the Namespace `pod-security.kubernetes.io/enforce: restricted`.",
)
def restricted_namespace(resource: Resource, stack: Stack) -> Iterator[str]:
    """A Namespace enforces Pod Security `restricted`."""
    level = resource.at("metadata", "labels", "pod-security.kubernetes.io/enforce")
    if resource.kind == "Namespace" and level != "restricted":
        yield f"the Namespace enforces {level or 'nothing'}"
