"""CloudNativePG's operator on a lab that runs.

Only labs whose database it runs need it, so it is built, loaded and installed when somebody asks.
"""

import json
import platform
import tarfile
from io import BytesIO
from pathlib import Path

from lab import addons, nodes, toolchain
from lab.images import build
from lab.images.build import Image
from lab.layout import Lab
from lab.progress import Report
from lab.toolchain import Tools

NAMESPACE = "cnpg-system"
DEPLOYMENT = "deployment/cnpg-controller-manager"
PUBLISHED = "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0"
"""The image that the manifest names: of the operator, and of what it puts into each pod that it makes."""
ROLLOUT_SECONDS = 180
SPREAD = {
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "topologySpreadConstraints": [
                    {
                        "topologyKey": "kubernetes.io/hostname",
                        "maxSkew": 1,
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "cloudnative-pg"}},
                        # During a rollout the pods that leave do not keep new ones from their nodes.
                        "matchLabelKeys": ["pod-template-hash"],
                    }
                ]
            }
        },
    }
}
"""One pod on each of two nodes: with the operator's only node the one is gone that promotes a standby."""
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def install(lab: Lab, tools: Tools, report: Report) -> None:
    """Returns when two pods of the operator are ready, each on a node of its own. Raises `LabError`."""
    image = _image(toolchain.operator(report), report)
    nodes.add(lab, image, report)
    manifest = toolchain.operator_manifest(report).read_text()
    own = manifest.replace(PUBLISHED, image.reference).replace(
        "imagePullPolicy: Always", "imagePullPolicy: IfNotPresent"
    )
    report("applying CloudNativePG")
    addons.apply_manifest(lab, tools, own)
    where = f"--namespace={NAMESPACE}"
    addons.kubectl(lab, tools, "patch", DEPLOYMENT, where, f"--patch={json.dumps(SPREAD)}")
    report(f"waiting for {DEPLOYMENT}")
    addons.kubectl(lab, tools, "rollout", "status", DEPLOYMENT, where, f"--timeout={ROLLOUT_SECONDS}s")


def _image(program: Path, report: Report) -> Image:
    """The operator's image: it looks for itself by architecture, and pods run it as `/manager`.

    With `/manager` alone it starts, and reports an invalid architecture for ever.
    """
    itself = f"operator/manager_{_ARCHITECTURE[platform.machine()]}"

    def fill(context: Path) -> None:
        with tarfile.open(context / "root.tar", "w") as root:
            file = tarfile.TarInfo(itself)
            file.size, file.mode = program.stat().st_size, 0o755
            with program.open("rb") as content:
                root.addfile(file, content)
            link = tarfile.TarInfo("manager")
            link.type, link.linkname = tarfile.SYMTYPE, itself
            root.addfile(link, BytesIO())

    return build.program_image(
        "cloudnative-pg", program, 'FROM scratch\nADD root.tar /\nENTRYPOINT ["/manager"]\n', fill, report
    )
