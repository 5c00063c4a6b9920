"""A stack that runs, by a kubectl and a pulumi that answer as recorded: the recorded program's objects, with a status."""

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from operations.status.asked import PATHS
from tests.unit.previews import state
from tests.unit.recorder import plain, run

KUBECTL = """#!/bin/sh
cd {folder}
words=" $* "
case "$words" in
  *" exec "*python3*) answer=/exec/inside;;
  *" exec "*pg_stat_archiver*) answer=/exec/archiver;;
  *" exec "*psql*) answer=/exec/standbys;;
  *" exec "*" df "*) answer=/exec/df;;
  *" logs "*--previous*) answer=/logs/previous;;
  *" logs "*) answer=/logs/now;;
  *" version "*) answer=/version;;
  *" get namespace "*) answer=/get/namespace;;
  *--show-managed-fields*) answer=/get/live;;
  *--raw=*) answer=${{words#*--raw=}}; answer=${{answer%% *}};;
esac
echo "$answer" >> asked
if [ -e "answers$answer.refused" ]; then cat "answers$answer.refused" >&2; exit 1; fi
if [ -e "answers$answer.json" ]; then cat "answers$answer.json"; exit; fi
echo 'Error from server (NotFound): the server could not find the requested resource' >&2
exit 1
"""
PULUMI = """#!/bin/sh
cd {folder}
case "$*" in
  *output*) answer=outputs;; *export*) answer=export;; *history*) answer=history;; version) echo v3.200.0; exit;;
esac
if [ -e "$answer.refused" ]; then cat "$answer.refused" >&2; exit 255; fi
cat "$answer"
"""
NAMESPACE = "/api/v1/namespaces/skillflaw"
PODS, SECRETS, EVENTS = f"{NAMESPACE}/pods", f"{NAMESPACE}/secrets", f"{NAMESPACE}/events"
CONFIG_MAPS = f"{NAMESPACE}/configmaps"
NODES = "/api/v1/nodes"
OPERATOR = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fname%3Dcloudnative-pg"
DEPLOYMENTS, CLUSTERS, JOBS, CRON_JOBS = (
    PATHS[kind].format("skillflaw") for kind in ("Deployment", "Cluster", "Job", "CronJob")
)
CERTIFICATES = PATHS["Certificate"].format("skillflaw")
LIVE = "/get/live"
INSIDE, STANDBYS, DF, ARCHIVER = "/exec/inside", "/exec/standbys", "/exec/df", "/exec/archiver"
FORBIDDEN = 'Error from server (Forbidden): pods is forbidden: User "who" cannot list resource "pods"'
KEY = "0123456789abcdef"
NODE_OF = {0: "node-1", 1: "node-2"}

Object = dict[str, Any]


def ago(**time: float) -> str:
    """A moment of the past as Kubernetes writes it."""
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, status: bool = True, **more: str) -> Object:
    return {"type": kind, "status": str(status), "lastTransitionTime": ago(hours=1), **more}


def certificate(days: float = 80, of: float = 90) -> str:
    """A certificate in base64 of PEM that has some days left, of a life of some days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    ends = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=of))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(Encoding.PEM)).decode()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def tls(name: str, crt: str) -> Object:
    return {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": {"tls.crt": crt}}


def pod(name: str, kind: str, owner: str, spec: Object, node: str, labels: Object) -> Object:
    """A pod that is ready, an hour old."""
    metadata = {
        "name": name,
        "labels": labels,
        "creationTimestamp": ago(hours=1),
        "ownerReferences": [{"kind": kind, "name": owner}],
    }
    running = [
        {
            "name": row["name"],
            "restartCount": 0,
            "ready": True,
            "state": {"running": {"startedAt": ago(hours=1)}},
        }
        for row in spec["containers"]
    ]
    ended = [
        {"name": row["name"], "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}
        for row in spec.get("initContainers", ())
    ]
    status = {
        "phase": "Running",
        "conditions": [condition("PodScheduled"), condition("Ready")],
        "containerStatuses": running,
        "initContainerStatuses": ended,
    }
    return {"metadata": metadata, "spec": spec | {"nodeName": node}, "status": status}


class Running:
    """What the cluster answers by path, and pulumi by command; tests change it before they ask."""

    def __init__(self, config: Object) -> None:
        program = run(config)
        declared = [(it, state(program, it)) for it in program.leaves.values()]
        self.export = {
            "deployment": {
                "resources": [
                    {"type": it.type, "urn": it.urn, "id": "1", "inputs": row["inputs"]}
                    for it, row in declared
                ]
            }
        }
        self.outputs = plain(program.outputs)
        self.history = [
            {
                "version": 1,
                "kind": "update",
                "result": "succeeded",
                "config": {"skillflaw:cluster": {"value": "c0nfigured"}},
            }
        ]
        objects = [copy.deepcopy(row["inputs"]) for it, row in declared if it.type.startswith("kubernetes:")]
        for row in objects:
            row["metadata"] |= {"generation": 1, "creationTimestamp": ago(days=3), "managedFields": []}
            row["metadata"].setdefault("annotations", {})
        self.objects = objects
        self.pods = [made for row in objects for made in self._pods(row)]
        self.secrets = [
            tls(entry["secretName"], certificate())
            for row in objects
            if row["kind"] == "Ingress"
            for entry in row["spec"]["tls"]
        ]
        self.answers: dict[str, Any] = {
            "/version": {"serverVersion": {"gitVersion": "v1.36.0"}},
            "/apis": {"groups": [{"name": "postgresql.cnpg.io"}]},
            "/get/namespace": next((row for row in objects if row["kind"] == "Namespace"), None),
            NODES: {"items": [self._node("node-1", "a"), self._node("node-2", "b")]},
            OPERATOR: {"items": [self._operator("node-1"), self._operator("node-2")]},
            INSIDE: {
                "version": "1.8.4",
                "connections": 12,
                "maxConnections": 100,
                "reserved": 3,
                "perProcess": 11,
                "server": "15.4 (Debian 15.4-1)",
                "mounted": KEY,
                "onVolume": KEY,
                "inDatabase": KEY,
            },
            STANDBYS: [
                {
                    "name": "database-2",
                    "state": "streaming",
                    "syncState": "quorum",
                    "lagBytes": 0,
                    "lagSeconds": 0.0,
                }
            ],
            ARCHIVER: {"archived": ago(minutes=2), "failed": None},
            DF: "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a b 1000000 400000 600000 40% /data\n",
            "/logs/now": "started\n",
            "/logs/previous": "ended\n",
            EVENTS: {"items": []},
        }

    def one(self, kind: str, name: str) -> Object:
        """An object of the cluster."""
        return next(row for row in self.objects if (row["kind"], row["metadata"].get("name")) == (kind, name))

    def pod(self, owner: str, number: int = 0) -> Object:
        """A pod of a workload."""
        return [
            each for each in self.pods if each["metadata"]["ownerReferences"][0]["name"].startswith(owner)
        ][number]

    def answer(self, folder: Path) -> None:
        """Writes everything as the two programs read it."""
        for kind, path in PATHS.items():
            self.answers.setdefault(
                path.format("skillflaw"),
                {"kind": f"{kind}List", "items": [it for it in self.objects if it["kind"] == kind]},
            )
        config_maps = [row for row in self.objects if row["kind"] == "ConfigMap"]
        self.answers.setdefault(CONFIG_MAPS, {"kind": "ConfigMapList", "items": config_maps})
        self.answers.setdefault(PODS, {"items": self.pods})
        self.answers.setdefault(SECRETS, {"items": self.secrets})
        for secret in self.secrets:
            self.answers.setdefault(f"{SECRETS}/{secret['metadata']['name']}", secret)
        live = [row for row in self.objects if row["kind"] not in ("Namespace", "ConfigMap")]
        self.answers.setdefault(LIVE, {"items": [*live, *map(self._as_live, self.pods)]})
        for path, answer in self.answers.items():
            # A refusal is given as an exception, and None is nothing.
            file = folder / f"answers{path}.{'refused' if isinstance(answer, Exception) else 'json'}"
            file.parent.mkdir(parents=True, exist_ok=True)
            if answer is not None:
                text = answer if isinstance(answer, str | Exception) else json.dumps(answer)
                file.write_text(str(text))
        for name in ("outputs", "export", "history"):
            answer = getattr(self, name)
            suffix = ".refused" if isinstance(answer, Exception) else ""
            (folder / f"{name}{suffix}").write_text(str(answer) if suffix else json.dumps(answer))

    def _as_live(self, each: Object) -> Object:
        return {"apiVersion": "v1", "kind": "Pod"} | each

    def _pods(self, row: Object) -> list[Object]:
        name, spec = row["metadata"].get("name"), row.get("spec", {})
        if row["kind"] == "Deployment":
            row["status"] = {
                "observedGeneration": 1,
                **dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), spec["replicas"]),
            }
            template, owner = spec["template"], f"{name}-5d4f8"
            labels = template["metadata"]["labels"]
            return [
                pod(
                    f"{owner}-{number}",
                    "ReplicaSet",
                    owner,
                    copy.deepcopy(template["spec"]),
                    NODE_OF[number],
                    labels,
                )
                for number in range(spec["replicas"])
            ]
        if row["kind"] == "StatefulSet":
            row["status"] = {
                "observedGeneration": 1,
                **dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), 1),
            }
            template = spec["template"]
            labels = template["metadata"]["labels"]
            return [pod(f"{name}-0", "StatefulSet", name, copy.deepcopy(template["spec"]), "node-1", labels)]
        if row["kind"] == "Cluster":
            row["status"] = {
                "readyInstances": 2,
                "image": spec["imageCatalogRef"]["name"],
                "phase": "Cluster in healthy state",
                "currentPrimary": "database-1",
                "conditions": [condition("Ready")],
            }
            mounts = {"volumeMounts": [{"name": "pgdata", "mountPath": "/var/lib/postgresql/data"}]}
            return [
                pod(
                    f"database-{number + 1}",
                    "Cluster",
                    name,
                    {
                        "containers": [{"name": "postgres", "image": "postgres:15.4"} | mounts],
                        "volumes": [
                            {
                                "name": "pgdata",
                                "persistentVolumeClaim": {"claimName": f"database-{number + 1}"},
                            }
                        ],
                    },
                    NODE_OF[number],
                    {"cnpg.io/cluster": name},
                )
                for number in range(2)
            ]
        if row["kind"] == "Job":
            row["status"] = {
                "conditions": [condition("Complete")],
                "completionTime": ago(days=3),
                "startTime": ago(days=3),
            }
        if row["kind"] == "ObjectStore":
            window = {"firstRecoverabilityPoint": ago(days=9), "lastSuccessfulBackupTime": ago(hours=6)}
            row["status"] = {"serverRecoveryWindow": {"database": window}}
        if row["kind"] == "CronJob":
            row["status"] = {"lastSuccessfulTime": ago(hours=5), "lastScheduleTime": ago(hours=5)}
        return []

    def _node(self, name: str, zone: str) -> Object:
        labels = {"topology.kubernetes.io/zone": zone}
        return {
            "metadata": {"name": name, "labels": labels},
            "spec": {},
            "status": {"conditions": [condition("Ready")]},
        }

    def _operator(self, node: str) -> Object:
        spec = {"nodeName": node, "containers": [{"image": "ghcr.io/cloudnative-pg/cloudnative-pg:1.28.1"}]}
        return {
            "metadata": {"name": f"cnpg-{node}"},
            "spec": spec,
            "status": {"conditions": [condition("Ready")]},
        }


def programs(folder: Path) -> Path:
    """A folder with the two programs, to be first on PATH."""
    for name, text in (("kubectl", KUBECTL), ("pulumi", PULUMI)):
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text.format(folder=folder))
        program.chmod(0o755)
    return folder / "bin"


Change = Callable[[Running], None]
