"""CloudNativePG's plugin for Barman Cloud on a lab that has the operator.

Only databases whose write-ahead log is archived need it, so it is built, loaded and installed when somebody asks.
"""

import base64
import json
import re

from lab import addons, nodes, pki, toolchain
from lab.images import build
from lab.layout import Lab
from lab.operator import NAMESPACE
from lab.progress import Report
from lab.toolchain import Tools

DEPLOYMENT = "deployment/barman-cloud"
PUBLISHED = "ghcr.io/cloudnative-pg/plugin-barman-cloud-testing:main"
"""The image that the manifest names; that of the sidecar stands in a Secret, encoded."""
SIDECAR = re.compile(r"SIDECAR_IMAGE: \|\n(?: +\S+\n)+")
CERT_MANAGER = "apiVersion: cert-manager.io/"
CERTIFICATES = {"barman-cloud-server": ["barman-cloud"], "barman-cloud-client": []}
"""Certificates by which operator and plugin know each other, and the hosts of each.

Self-signed: the operator shows its own only to a server that asks for one of that issuer, and the plugin asks for one whose
issuer is the certificate itself. The lab's cert-manager signs by authorities alone.
"""
ROLLOUT_SECONDS = 180


def install(lab: Lab, tools: Tools, report: Report) -> None:
    """Returns when the plugin is ready. Raises `LabError`."""
    image = build.build("barman", report)
    nodes.add(lab, image, report)
    sidecar = base64.b64encode(image.reference.encode()).decode()
    manifest = toolchain.barman_cloud_manifest(report).read_text()
    own = SIDECAR.sub(f"SIDECAR_IMAGE: {sidecar}\n", manifest).replace(PUBLISHED, image.reference)
    documents = [part for part in own.split("\n---\n") if CERT_MANAGER not in part]
    for name, hosts in CERTIFICATES.items():
        pki.self_signed(lab, name, hosts=hosts)
        documents.append(_secret(lab, name))
    report("applying the plugin for Barman Cloud")
    addons.apply_manifest(lab, tools, "\n---\n".join(documents))
    report(f"waiting for {DEPLOYMENT}")
    where = f"--namespace={NAMESPACE}"
    addons.kubectl(lab, tools, "rollout", "status", DEPLOYMENT, where, f"--timeout={ROLLOUT_SECONDS}s")


def _secret(lab: Lab, name: str) -> str:
    data = {
        f"tls.{part}": base64.b64encode((lab.pki / f"{name}.{part}").read_bytes()).decode()
        for part in ("crt", "key")
    }
    place = {"name": f"{name}-tls", "namespace": NAMESPACE}
    return json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": place, "type": "kubernetes.io/tls", "data": data}
    )
