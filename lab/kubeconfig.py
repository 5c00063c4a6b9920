"""Kubeconfig files of a lab, one for each certificate that something of it signs in with."""

import base64
import json
from pathlib import Path

from lab.layout import Lab


def path(lab: Lab, user: str) -> Path:
    return lab.state / "kubeconfigs" / user


def write(lab: Lab, user: str, file: Path | None = None) -> Path:
    """Writes the kubeconfig of the certificate `user`, by default next to the lab's other ones; returns its path."""
    file = file or path(lab, user)
    file.parent.mkdir(parents=True, exist_ok=True)

    def encoded(name: str) -> str:
        return base64.b64encode((lab.pki / name).read_bytes()).decode()

    cluster = {"server": f"https://{lab.machine}:6443", "certificate-authority-data": encoded("ca.crt")}
    credentials = {
        "client-certificate-data": encoded(f"{user}.crt"),
        "client-key-data": encoded(f"{user}.key"),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": lab.name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": lab.name, "context": {"cluster": lab.name, "user": user}}],
        "current-context": lab.name,
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(content, indent=2))
    return file
