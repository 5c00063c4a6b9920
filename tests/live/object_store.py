"""A server of the API of S3 on the lab, with one bucket that lives as long as its pod."""

import json
from typing import Any

from lab import nodes, pki, toolchain
from lab.images import build
from lab.layout import REAL
from tests.live import namespace

NAME = "object-store"
"""Its namespace, its pod and its Service."""
PORT = 7070
ENDPOINT = f"https://{NAME}.{NAME}:{PORT}"
BUCKET = "archive"
ACCESS_KEY, SECRET_KEY = "writer", "a-key-of-the-lab-alone"
EGRESS = {"namespace": NAME, "labels": {"app": NAME}, "ports": [PORT]}
"""The destination that a stack file names."""


def serve(kubectl) -> None:
    """Returns when the server answers, with an empty bucket. Raises `LabError`."""
    image = build.binary_image("versitygw", toolchain.versitygw(print))
    nodes.add(REAL, image, lambda words: None)
    namespace.make(kubectl, NAME)
    pki.issue(REAL, NAME, hosts=[f"{NAME}.{NAME}"])
    files = (f"--cert={REAL.pki / f'{NAME}.crt'}", f"--key={REAL.pki / f'{NAME}.key'}")
    kubectl("create", "secret", "tls", "tls", f"--namespace={NAME}", *files)
    listed = {"apiVersion": "v1", "kind": "List", "items": _server(image.reference)}
    kubectl("apply", "--filename=-", stdin=json.dumps(listed))
    kubectl("wait", f"pod/{NAME}", f"--namespace={NAME}", "--for=condition=Ready", "--timeout=60s")


def credentials(kubectl, into: str, name: str, authority: str) -> None:
    """Makes the Secrets in a namespace by which a stack writes to the bucket and knows the server."""
    words = (
        f"--from-literal=AWS_ACCESS_KEY_ID={ACCESS_KEY}",
        f"--from-literal=AWS_SECRET_ACCESS_KEY={SECRET_KEY}",
    )
    kubectl("create", "secret", "generic", name, f"--namespace={into}", *words)
    kubectl(
        "create",
        "secret",
        "generic",
        authority,
        f"--namespace={into}",
        f"--from-file=ca.crt={REAL.pki / 'ca.crt'}",
    )


def _server(image: str) -> list[dict[str, Any]]:
    place = {"name": NAME, "namespace": NAME}
    container = {
        "name": "versitygw",
        "image": image,
        # Not every file system that an emptyDir may be on has extended attributes, so what an object is lies in a folder.
        "args": [
            f"--port=:{PORT}", "--cert=/tls/tls.crt", "--key=/tls/tls.key", "posix", "--sidecar=/objects", "/data",
        ],
        "env": [
            {"name": "ROOT_ACCESS_KEY_ID", "value": ACCESS_KEY},
            {"name": "ROOT_SECRET_ACCESS_KEY", "value": SECRET_KEY},
        ],
        "volumeMounts": [
            {"name": "tls", "mountPath": "/tls"},
            {"name": "objects", "mountPath": "/objects"},
            # A folder below the root is a bucket.
            {"name": "data", "mountPath": f"/data/{BUCKET}"},
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }  # fmt: skip
    volumes = [
        {"name": "tls", "secret": {"secretName": "tls"}},
        {"name": "objects", "emptyDir": {}},
        {"name": "data", "emptyDir": {}},
    ]
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": place | {"labels": {"app": NAME}}, "spec": pod},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"selector": {"app": NAME}, "ports": [{"port": PORT}]},
        },
    ]
