"""etcd, API server, controller manager and scheduler, as processes of this machine."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence

from lab import kubeconfig, process
from lab.layout import Lab
from lab.toolchain import Tools

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
READY_SECONDS = 90


def start(lab: Lab, tools: Tools, names: Sequence[str] = NAMES) -> None:
    """Starts what of `names` does not run yet, in order.

    Raises `LabError` with the log of the one that does not become ready.
    """
    kubeconfig.write(lab, "admin", lab.kubeconfig)
    for user in ("controller-manager", "scheduler"):
        kubeconfig.write(lab, user)
    commands = {
        "etcd": _etcd(lab),
        "kube-apiserver": _apiserver(lab),
        "kube-controller-manager": _controller_manager(lab),
        "kube-scheduler": _scheduler(lab),
    }
    healthy = {
        "etcd": f"http://{lab.loopback}:2379/health",
        "kube-apiserver": f"https://{lab.machine}:6443/readyz",
        "kube-controller-manager": f"https://{lab.loopback}:10257/healthz",
        "kube-scheduler": f"https://{lab.loopback}:10259/healthz",
    }
    for name in names:
        if process.find(lab, name) is None:
            process.start(lab, name, [tools.program(name), *commands[name]])
        process.wait_for(
            lambda name=name: _answers(healthy[name]),
            READY_SECONDS,
            f"{name} ready at {healthy[name]}",
            process.log_of(lab, name),
            alive=lambda name=name: process.find(lab, name) is not None,
        )


def _etcd(lab: Lab) -> list[str]:
    clients = f"http://{lab.loopback}:2379"
    peers = f"http://{lab.loopback}:2380"
    return [
        f"--name={lab.name}",
        f"--data-dir={lab.state / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster={lab.name}={peers}",
        # A lab does not outlive its machine, so nothing is gained by waiting for the disk.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(lab: Lab) -> list[str]:
    pki = lab.pki
    return [
        f"--etcd-servers=http://{lab.loopback}:2379",
        f"--bind-address={lab.machine}",
        f"--advertise-address={lab.machine}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={lab.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={pki / 'kube-apiserver.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        # Node names are in no DNS, and without this logs and exec ask for them.
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        # The metrics API is served by a pod, reached by its address: this machine is no node.
        "--enable-aggregator-routing=true",
        "--requestheader-allowed-names=front-proxy",
        f"--requestheader-client-ca-file={pki / 'ca.crt'}",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki / 'front-proxy.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy.key'}",
    ]


def _controller_manager(lab: Lab) -> list[str]:
    pki = lab.pki
    return [
        *_follower(lab, "controller-manager"),
        "--controllers=*,bootstrap-signer-controller,token-cleaner-controller",
        "--allocate-node-cidrs=false",
        f"--cluster-name={lab.name}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        "--use-service-account-credentials=true",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
    ]


def _scheduler(lab: Lab) -> list[str]:
    return _follower(lab, "scheduler")


def _follower(lab: Lab, user: str) -> list[str]:
    file = kubeconfig.path(lab, user)
    return [
        f"--kubeconfig={file}",
        f"--authentication-kubeconfig={file}",
        f"--authorization-kubeconfig={file}",
        f"--bind-address={lab.loopback}",
        "--leader-elect=false",
    ]


def _answers(url: str) -> bool:
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=2, context=unverified) as answer:  # noqa: S310  our own
            return answer.status == 200
    except OSError:
        return False
