"""Prometheus, run by its operator, on a lab that runs: built, loaded and installed when somebody asks."""

import json
import shutil
from pathlib import Path
from typing import Any

from lab import addons, nodes, toolchain
from lab.images import build
from lab.images.build import Image
from lab.layout import Lab
from lab.progress import Report
from lab.toolchain import Tools

NAMESPACE = "monitoring"
LABELS = {"app.kubernetes.io/name": "prometheus"}
"""Labels that the operator gives the pods of Prometheus."""
SERVICE, PORT = "prometheus", 9090
OPERATOR = "deployment/prometheus-operator"
PUBLISHED = "quay.io/prometheus-operator"
"""The registry of the images that the manifest names."""
VERSION = "v0.93.0"
"""The operator's, in the names of those images."""
PROMETHEUS = "v3.13.0"
"""By its version the operator knows which options it has."""
READY_SECONDS = 180


def install(lab: Lab, tools: Tools, report: Report) -> None:
    """Returns when Prometheus answers; it reads PodMonitors and PrometheusRules of every namespace. Raises `LabError`."""
    images = {name: _image(name, program, report) for name, program in toolchain.prometheus(report).items()}
    for image in images.values():
        nodes.add(lab, image, report)
    report("applying the Prometheus operator")
    addons.apply_manifest(lab, tools, _bundle(images, report))
    addons.kubectl(lab, tools, "rollout", "status", OPERATOR, f"--timeout={READY_SECONDS}s")
    objects = {"apiVersion": "v1", "kind": "List", "items": _objects(images["prometheus"].reference)}
    addons.kubectl(lab, tools, "apply", "--filename=-", stdin=json.dumps(objects))
    report("waiting for Prometheus")
    addons.kubectl(
        lab, tools, "wait", "prometheus/lab", f"--namespace={NAMESPACE}",
        "--for=condition=Available", f"--timeout={READY_SECONDS}s",
    )  # fmt: skip


def remove(lab: Lab, tools: Tools, report: Report) -> None:
    """Takes everything away again, the definitions too: whatever is of these kinds goes with them."""
    addons.kubectl(lab, tools, "delete", "namespace", NAMESPACE, "--ignore-not-found")
    addons.kubectl(lab, tools, "delete", "podmonitor/traefik", "--namespace=traefik", "--ignore-not-found")
    addons.kubectl(lab, tools, "delete", "clusterrole,clusterrolebinding", "prometheus", "--ignore-not-found")
    addons.kubectl(
        lab, tools, "delete", "--ignore-not-found", f"--filename={toolchain.prometheus_bundle(report)}"
    )


def _bundle(images: dict[str, Image], report: Report) -> str:
    manifest = toolchain.prometheus_bundle(report).read_text()
    for name, image in images.items():
        manifest = manifest.replace(f"{PUBLISHED}/{name}:{VERSION}", image.reference)
    return manifest


def _image(name: str, program: Path, report: Report) -> Image:
    """An image whose program is where the operator's pods expect it; next to it, `/prometheus` is a volume."""

    def fill(context: Path) -> None:
        shutil.copyfile(program, context / name)
        (context / name).chmod(0o755)

    lines = f'FROM scratch\nCOPY {name} /bin/{name}\nENTRYPOINT ["/bin/{name}"]\n'
    return build.program_image(name, program, lines, fill, report)


def _objects(image: str) -> list[dict[str, Any]]:
    here = {"name": "prometheus", "namespace": NAMESPACE}
    account = {"kind": "ServiceAccount"} | here
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prometheus"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "prometheus"},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["pods", "services", "endpoints"],
                    "verbs": ["get", "list", "watch"],
                },
                {
                    "apiGroups": ["discovery.k8s.io"],
                    "resources": ["endpointslices"],
                    "verbs": ["get", "list", "watch"],
                },
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "prometheus"},
            "roleRef": role,
            "subjects": [account],
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "lab", "namespace": NAMESPACE},
            "spec": {
                "image": image,
                "version": PROMETHEUS,
                "replicas": 1,
                "serviceAccountName": "prometheus",
                "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 2000},
                "resources": {"requests": {"cpu": "50m", "memory": "200Mi"}},
                "podMonitorSelector": {},
                "podMonitorNamespaceSelector": {},
                "ruleSelector": {},
                "ruleNamespaceSelector": {},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": NAMESPACE},
            "spec": {"selector": LABELS, "ports": [{"port": PORT}]},
        },
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PodMonitor",
            "metadata": {"name": "traefik", "namespace": "traefik"},
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/name": "traefik"}},
                "podMetricsEndpoints": [{"port": "traefik"}],
            },
        },
    ]
