"""CloudNativePG's plugin for Barman Cloud on a lab that has the operator.

Only databases whose write-ahead log is archived need it, so it is built, loaded and installed when somebody asks.
"""

import base64
import re

from lab import addons, nodes, toolchain
from lab.images import build
from lab.layout import Lab
from lab.operator import NAMESPACE
from lab.progress import Report
from lab.toolchain import Tools

DEPLOYMENT = "deployment/barman-cloud"
PUBLISHED = "ghcr.io/cloudnative-pg/plugin-barman-cloud-testing:main"
"""The image that the manifest names; that of the sidecar stands in a Secret, encoded."""
SIDECAR = re.compile(r"SIDECAR_IMAGE: \|\n(?: +\S+\n)+")
ISSUER = "kind: Issuer\n    name: selfsigned-issuer"
"""What signs the certificates by which operator and plugin know each other; the lab's cert-manager has authorities alone."""
ROLLOUT_SECONDS = 180


def install(lab: Lab, tools: Tools, report: Report) -> None:
    """Returns when the plugin is ready. Raises `LabError`."""
    image = build.build("barman", report)
    nodes.add(lab, image, report)
    sidecar = base64.b64encode(image.reference.encode()).decode()
    manifest = toolchain.barman_cloud_manifest(report).read_text()
    own = SIDECAR.sub(f"SIDECAR_IMAGE: {sidecar}\n", manifest)
    own = own.replace(PUBLISHED, image.reference).replace(ISSUER, "kind: ClusterIssuer\n    name: lab")
    report("applying the plugin for Barman Cloud")
    addons.kubectl(lab, tools, "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=own)
    report(f"waiting for {DEPLOYMENT}")
    where = f"--namespace={NAMESPACE}"
    addons.kubectl(lab, tools, "rollout", "status", DEPLOYMENT, where, f"--timeout={ROLLOUT_SECONDS}s")
