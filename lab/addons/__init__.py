"""Addons of a cluster: manifests with the lab's values filled in, applied and awaited.

Here live the manifests and nothing that decides; the values come from the layout, the images and the certificates.
"""

import base64
import hashlib
import json
import string
import subprocess
from pathlib import Path

from lab.errors import LabError
from lab.images.build import Image
from lab.layout import DOMAIN, Lab
from lab.progress import Report
from lab.toolchain import Tools

HERE = Path(__file__).parent
ROLLOUT_SECONDS = 180
SIMULATED_VOLUMES = 60
"""Number of volumes of each class; a claim takes one for good, as their policy is Retain."""
WORKLOADS = (
    ("kube-system", "deployment/coredns"),
    ("kube-system", "deployment/metrics-server"),
    ("local-path-storage", "deployment/local-path-provisioner"),
    ("traefik", "daemonset/traefik"),
    ("cert-manager", "deployment/cert-manager"),
)


def fingerprint() -> str:
    """Hash of every manifest here."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(HERE.glob("*.yaml")))).hexdigest()


def apply_definitions(lab: Lab, tools: Tools) -> None:
    """Installs the Gateway API's definitions and what the nodes' programs may do."""
    apply_manifest(lab, tools, tools.program("gateway-api.yaml").read_text())
    apply_manifest(lab, tools, (HERE / "nodes.yaml").read_text())


def apply(lab: Lab, tools: Tools, images: dict[str, Image], report: Report) -> None:
    """Installs DNS, metrics, storage, ingress and certificates, and returns when they are ready.

    `images` maps what a manifest calls an image (`coredns`, `base`, …) to the image.
    """
    values = {
        "domain": DOMAIN,
        "dns": lab.dns,
        "ingress": lab.ingress,
        "node": lab.nodes[0].address,
        "state": str(lab.state),
        "certificate": _encoded(lab.pki / "ingress.crt"),
        "key": _encoded(lab.pki / "ingress.key"),
        "authority_certificate": _encoded(lab.pki / "ca.crt"),
        "authority_key": _encoded(lab.pki / "ca.key"),
    } | {name.replace("-", "_"): image.reference for name, image in images.items()}
    apply_manifest(lab, tools, tools.program("cert-manager.yaml").read_text())
    kubectl(
        lab,
        tools,
        "wait",
        "customresourcedefinitions",
        "--all",
        "--for=condition=Established",
        "--timeout=30s",
    )
    for name in ("dns", "metrics", "storage", "ingress", "certificates"):
        report(f"applying {name}")
        apply_manifest(lab, tools, string.Template((HERE / f"{name}.yaml").read_text()).substitute(values))
    for namespace, workload in WORKLOADS:
        report(f"waiting for {workload}")
        kubectl(
            lab,
            tools,
            "rollout",
            "status",
            workload,
            f"--namespace={namespace}",
            f"--timeout={ROLLOUT_SECONDS}s",
        )
    report("waiting for the metrics API")
    kubectl(
        lab, tools, "wait", "apiservice/v1beta1.metrics.k8s.io", "--for=condition=Available", "--timeout=120s"
    )


def apply_simulation(lab: Lab, tools: Tools) -> None:
    """Installs the nodes as objects, and storage whose volumes are objects too."""
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": node.name,
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {
                    "kubernetes.io/hostname": node.name,
                    "topology.kubernetes.io/zone": node.zone,
                    "topology.kubernetes.io/region": "lab",
                },
            },
            "status": {
                side: {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "500"}
                for side in ("capacity", "allocatable")
            },
        }
        for node in lab.nodes
    ]
    objects += [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{storage_class}-{number}"},
            "spec": {
                "capacity": {"storage": "1Ti"},
                "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": storage_class,
                "hostPath": {"path": f"/simulated/{storage_class}-{number}"},
            },
        }
        for storage_class in ("local", "shared")
        for number in range(SIMULATED_VOLUMES)
    ]
    apply_manifest(lab, tools, (HERE / "simulation.yaml").read_text())
    apply_manifest(lab, tools, json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def kubectl(lab: Lab, tools: Tools, *words: str, stdin: str | None = None) -> str:
    """Runs kubectl as the lab's administrator and returns what it prints; raises `LabError` with what it says."""
    command = [tools.program("kubectl"), f"--kubeconfig={lab.kubeconfig}", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"`kubectl {' '.join(words)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def apply_manifest(lab: Lab, tools: Tools, manifest: str) -> None:
    """Makes the cluster have what a manifest says, whoever wrote its fields before. Raises `LabError`."""
    kubectl(lab, tools, "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifest)
