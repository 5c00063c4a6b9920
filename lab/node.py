"""One host of the cluster, from the inside: `python -m lab.node LAB NODE TOOLS PAUSE` is process 1 of its namespaces.

It configures the host (mounts, network), then keeps containerd, kubelet, kube-proxy and kube-router running. Everything it
mounts or configures is in its own namespaces and ends with it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import cgroups, kubeconfig, layout
from lab.layout import Lab, Node

RUNTIME = "/run/containerd/containerd.sock"
RESTART_SECONDS = 1


def folder(lab: Lab, node: Node) -> Path:
    """Folder of the node's files."""
    return lab.state / "nodes" / node.name


def images(lab: Lab, node: Node) -> Path:
    """Folder of the images of the node's containerd; it survives the lab, for importing them takes a minute."""
    return layout.CACHE / "nodes" / f"{lab.name}-{node.name}"


def containerd_config(lab: Lab, node: Node, pause: str) -> str:
    """containerd's configuration with Kubernetes' runtime interface served; TOML."""
    return f"""
version = 2
root = "{images(lab, node)}"
state = "/run/containerd"

[grpc]
  address = "{RUNTIME}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without CAP_SYS_RESOURCE, as on many virtual machines, a pod whose score is lowered does not start.
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{folder(lab, node)}/cni"
"""


def _mounts(lab: Lab, node: Node) -> None:
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    own = {"/var/lib/cni": "cni-state", "/var/log/pods": "pods", "/var/log/containers": "containers"}
    for target, name in own.items():
        source = folder(lab, node) / name
        source.mkdir(parents=True, exist_ok=True)
        Path(target).mkdir(parents=True, exist_ok=True)
        _run("mount", "--bind", source, target)


def _network(lab: Lab, node: Node) -> None:
    _run("hostname", node.name)
    _run("ip", "link", "set", "lo", "up")
    while subprocess.run(["ip", "link", "show", "eth0"], capture_output=True, check=False).returncode:
        time.sleep(0.05)
    _run("ip", "address", "add", f"{node.address}/24", "dev", "eth0")
    _run("ip", "link", "set", "eth0", "up")
    _run("ip", "route", "add", "default", "via", lab.machine)
    for other in lab.nodes:
        if other != node:
            _run("ip", "route", "add", other.pods, "via", other.address)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _cni(node: Node) -> dict:
    return {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": node.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(lab: Lab, node: Node) -> dict:
    pki = lab.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / f"{node.name}-serving.crt"),
        "tlsPrivateKeyFile": str(pki / f"{node.name}-serving.key"),
        "containerRuntimeEndpoint": f"unix://{RUNTIME}",
        "clusterDNS": [lab.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": str(folder(lab, node) / "resolv.conf"),
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name(lab, node)}",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "maxOpenFiles": 20000,
        "volumePluginDir": str(folder(lab, node) / "plugins"),
    }


def _write(lab: Lab, node: Node, pause: str) -> None:
    own = folder(lab, node)
    (own / "cni").mkdir(parents=True, exist_ok=True)
    (own / "cni" / "lab.conflist").write_text(json.dumps(_cni(node)))
    (own / "kubelet.json").write_text(json.dumps(_kubelet(lab, node)))
    (own / "containerd.toml").write_text(containerd_config(lab, node, pause))
    (own / "resolv.conf").write_text("")
    for user in (node.name, "kube-proxy", "kube-router"):
        kubeconfig.write(lab, user, own / f"{user}.kubeconfig")


def _commands(lab: Lab, node: Node, tools: Path) -> dict[str, list[str]]:
    own = folder(lab, node)
    labels = f"topology.kubernetes.io/zone={node.zone},topology.kubernetes.io/region=lab"
    return {
        "containerd": ["containerd", f"--config={own / 'containerd.toml'}", "--log-level=warn"],
        "kubelet": [
            f"{tools / 'kubelet'}",
            f"--config={own / 'kubelet.json'}",
            f"--kubeconfig={own / f'{node.name}.kubeconfig'}",
            f"--root-dir={own / 'kubelet'}",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
            f"--node-labels={labels}",
        ],
        "kube-proxy": [
            f"{tools / 'kube-proxy'}",
            f"--kubeconfig={own / 'kube-proxy.kubeconfig'}",
            f"--hostname-override={node.name}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={lab.pods}",
            # The machine's own limit of connections is not this node's to change.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0s",
            "--conntrack-tcp-timeout-close-wait=0s",
        ],
        "kube-router": [
            f"{tools / 'kube-router'}",
            f"--kubeconfig={own / 'kube-router.kubeconfig'}",
            f"--hostname-override={node.name}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            "--run-loadbalancer=false",
            f"--service-cluster-ip-range={lab.services}",
            "--metrics-port=0",
        ],
    }


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True)


def _supervise(commands: dict[str, list[str]], logs: Path, prefix: str) -> None:
    """Starts each program, and again when it ends; collects what else ends in this host, as process 1 has to."""
    # The handles are kept: a Popen that is thrown away has its child waited for by the next one.
    running: dict[int, tuple[str, subprocess.Popen]] = {}

    def begin(name: str) -> None:
        with (logs / f"{prefix}-{name}.log").open("ab") as output:
            child = subprocess.Popen(commands[name], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        running[child.pid] = (name, child)

    for name in commands:
        begin(name)
    while True:
        pid, _ = os.wait()
        if pid in running:
            name, _ = running.pop(pid)
            time.sleep(RESTART_SECONDS)
            begin(name)


def main(lab: Lab, node: Node, tools: Path, pause: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    _mounts(lab, node)
    _network(lab, node)
    _write(lab, node, pause)
    _supervise(_commands(lab, node, tools), lab.state / "logs", node.name)


if __name__ == "__main__":
    chosen = Lab(**json.loads(sys.argv[1]))
    [itself] = [node for node in chosen.nodes if node.name == sys.argv[2]]
    main(chosen, itself, Path(sys.argv[3]), sys.argv[4])
