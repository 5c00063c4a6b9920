"""Facts about a stack: read from its state, its cluster and its pods, all at once, each within a bound."""

import base64
import contextlib
import json
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography import x509

from detection.scrub import scrubbed
from operations import drift
from operations import stack as stacks
from operations.backup import RESTORE, RESTORING
from operations.kubectl import Kubectl
from operations.preflight import operator
from operations.preflight.found import Found
from operations.program import ProgramError, output_of
from operations.review.preview import at
from operations.stack import PULUMI_SECONDS, Stack
from operations.status.facts import (
    Backup,
    Certificate,
    Inside,
    Key,
    Known,
    Node,
    Operator,
    Pod,
    Replication,
    Standby,
    Status,
    Unknown,
    Volume,
    Workload,
)
from operations.wire import Endpoint

SECONDS = 20
"""How long anything may take that is asked of the cluster."""
AT_ONCE = 8
INSIDE = Path(__file__).with_name("inside.py")
BACKEND = "backend"
"""Name of the container that serves."""
ROTATION = "exchange"
"""Name of the init container that encrypts again."""
ZONE = "topology.kubernetes.io/zone"
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "Cluster": "/apis/postgresql.cnpg.io/v1/namespaces/{}/clusters",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "Certificate": "/apis/cert-manager.io/v1/namespaces/{}/certificates",
}
"""Paths of the API by kind, for a namespace."""
WORKLOADS = ("Deployment", "StatefulSet", "Cluster")
STARTING = ("PodInitializing", "ContainerCreating")
START = timedelta(minutes=2)
"""How long a pod may take before its start is trouble."""
STANDBYS = """
    SELECT coalesce(json_agg(it ORDER BY name), '[]') FROM (
        SELECT application_name AS name, state, sync_state AS "syncState",
            coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint AS "lagBytes",
            coalesce(extract(epoch FROM replay_lag), 0)::float AS "lagSeconds"
        FROM pg_stat_replication
    ) it
"""

Object = dict[str, Any]
T = TypeVar("T")


@contextlib.contextmanager
def asked(stack: str) -> Iterator["Asked"]:
    """A stack and its cluster, while the block runs.

    Raises:
        ProgramError: pulumi does not know the stack, or its cluster does not answer.
    """
    outputs = stacks.read(stack)
    exported = output_of(
        "pulumi", "stack", "export", f"--stack={stack}", "--non-interactive", seconds=PULUMI_SECONDS
    )
    with outputs.kubectl() as kubectl:
        bounded = replace(kubectl, seconds=SECONDS)
        # Once: every fact would be unknown, for one reason.
        bounded.run("version", "--output=json")
        yield Asked(stack, outputs, json.loads(exported)["deployment"], Found(bounded))


class Asked:
    """A stack by its outputs, its state and its cluster."""

    def __init__(self, stack: str, outputs: Stack, state: Object, found: Found) -> None:
        self.stack, self.outputs, self.found = stack, outputs, found
        self.kubectl: Kubectl = found.kubectl
        self.now = datetime.now(UTC)
        self._state = state

    def status(self) -> Status:
        """Every fact, or why it could not be had."""
        declared = {_called(row): row for row in self.declared if row["kind"] in WORKLOADS}
        kinds = {row["kind"] for row in declared.values()}
        operated = "Cluster" in kinds
        mode = "cloudNativePg" if operated else "inCluster" if "StatefulSet" in kinds else "external"
        # First what everybody else waits for.
        names = sorted(declared, key=lambda name: name != self.outputs.backend_service)
        with ThreadPoolExecutor(AT_ONCE) as threads:

            def ask(part: Callable[..., T], *words: Any) -> Callable[[], Known[T]]:
                return threads.submit(_known, part, *words).result

            workloads = {
                name: ask(self._workload, declared[name]["kind"], declared[name]["metadata"]["name"])
                for name in names
            }
            pods, nodes = ask(self._pods), ask(self._nodes)
            inside = ask(self._inside)
            clusters = [row["metadata"]["name"] for row in declared.values() if row["kind"] == "Cluster"]
            replication = ask(self._replication, *clusters) if operated else None
            operators = ask(self._operator) if operated else None
            backup = ask(self._backup, self.outputs.backup_cron_job) if self.outputs.backup_cron_job else None
            certificates = {
                surface: ask(self._certificate, origin) for surface, origin in self.outputs.surfaces.items()
            }
            volumes = {name: ask(self._volume, name, *where) for name, where in self._mounted().items()}
            differing, unfinished = ask(self._drift), ask(self._unfinished)
            return Status(
                stack=self.stack,
                where=f"context {self.outputs.context or 'of its kubeconfig'}, namespace {self.outputs.namespace}",
                at=self.now,
                database=mode,
                workloads={name: each() for name, each in workloads.items()},
                pods=pods(),
                nodes=nodes(),
                inside=inside(),
                replication=replication and replication(),
                operator=operators and operators(),
                backup=backup and backup(),
                certificates={name: each() for name, each in certificates.items()},
                volumes={name: each() for name, each in volumes.items()},
                key=self._key(),
                drift=differing(),
                unfinished=unfinished(),
            )

    # --- the state ------------------------------------------------------------------------------

    @property
    def declared(self) -> list[Object]:
        """Kubernetes objects of the state, as they were declared."""
        return [
            row["inputs"]
            for row in self._state.get("resources") or ()
            if row["type"].startswith("kubernetes:") and row.get("inputs") and not row.get("delete")
        ]

    @property
    def providers(self) -> dict[str, str]:
        """Versions of the providers that the state names."""
        rows = self._state.get("resources") or ()
        found = [row for row in rows if row["type"].startswith("pulumi:providers:")]
        return {row["type"].rpartition(":")[2]: str(at(row, "inputs", "version")) for row in found}

    def _drift(self) -> tuple[str, ...]:
        live = drift.live(self.kubectl)
        added = drift.compare(self.declared, live, self.kubectl)
        return (*_edited(self.declared, live), *(f"{name}: {words}" for name, words in added.lines))

    # --- the cluster ----------------------------------------------------------------------------

    def _objects(self, kind: str) -> list[Object]:
        return self.found.items(PATHS[kind].format(self.found.namespace))

    def _object(self, kind: str, name: str | None) -> Object | None:
        return next((each for each in self._objects(kind) if each["metadata"]["name"] == name), None)

    def _workload(self, kind: str, name: str) -> Workload:
        each = self._object(kind, name)
        if each is None:
            return Workload(kind=kind, name=name, images=(), wanted=None, ready=0, rolling=False)
        spec, status = each["spec"], each.get("status") or {}
        if kind == "Cluster":
            ready = status.get("readyInstances") or 0
            return Workload(
                kind=kind,
                name=name,
                images=tuple(filter(None, [status.get("image")])),
                wanted=spec.get("instances", 1),
                ready=ready,
                rolling=False,
            )
        wanted = spec.get("replicas", 1)
        counts = {key: status.get(key) or 0 for key in ("replicas", "updatedReplicas", "unavailableReplicas")}
        rolled = counts == {"replicas": wanted, "updatedReplicas": wanted, "unavailableReplicas": 0}
        seen = status.get("observedGeneration") == each["metadata"].get("generation")
        return Workload(
            kind=kind,
            name=name,
            images=tuple(row["image"] for row in spec["template"]["spec"]["containers"]),
            wanted=wanted,
            ready=status.get("readyReplicas") or 0,
            rolling=not (seen and rolled),
        )

    def _nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(
                name=each["metadata"]["name"],
                zone=(each["metadata"].get("labels") or {}).get(ZONE),
                usable=_holds(each, "Ready") and not at(each, "spec", "unschedulable"),
            )
            for each in self.found.items("/api/v1/nodes")
        )

    def _pods(self) -> tuple[Pod, ...]:
        nodes = _known(self._nodes)
        zones: dict[str, str | None] = (
            {} if isinstance(nodes, Unknown) else {node.name: node.zone for node in nodes}
        )
        return tuple(_pod(each, zones, self.now) for each in self._living())

    def _living(self) -> list[Object]:
        pods = self.found.own("pods")
        return [each for each in pods if at(each, "status", "phase") not in ("Succeeded", "Failed")]

    def _operator(self) -> Operator:
        pods = operator.ready_pods(self.found)
        return Operator(
            versions=tuple(sorted({operator.version_of(pod) for pod in pods})),
            nodes=tuple(str(at(pod, "spec", "nodeName")) for pod in pods),
        )

    def _replication(self, name: str) -> Replication:
        cluster = self._object("Cluster", name)
        if cluster is None:
            raise ProgramError(f"Cluster {name} does not exist")
        primary = str(at(cluster, "status", "currentPrimary") or "")
        return Replication(
            phase=scrubbed(str(at(cluster, "status", "phase") or "unknown")),
            healthy=_holds(cluster, "Ready"),
            primary=primary,
            instances=at(cluster, "spec", "instances") or 1,
            standbys=_known(self._standbys, primary) if primary else Unknown("there is no primary"),
        )

    def _standbys(self, primary: str) -> tuple[Standby, ...]:
        psql = ("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", f"--command={STANDBYS}")
        said = self._exec(primary, "postgres", *psql, "--dbname=postgres")
        return msgspec.json.decode(said, type=tuple[Standby, ...])

    def _backup(self, name: str) -> Backup:
        cron = self._object("CronJob", name)
        if cron is None:
            raise ProgramError(f"CronJob {name} does not exist")
        spec = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        # A list or a restore is a Job of the same CronJob, with another word for the same container.
        runs = [
            job
            for job in self._objects("Job")
            if at(job, "metadata", "labels", "app") == name
            and at(job["spec"]["template"]["spec"]["containers"][0], "args") == ["keep"]
        ]
        ended = [_time(job["status"]["completionTime"]) for job in runs if _holds(job, "Complete")]
        success = at(cron, "status", "lastSuccessfulTime")
        newest = max([*ended, *([_time(success)] if success else [])], default=None)
        begun = [
            _time(job["status"]["startTime"])
            for job in runs
            if _holds(job, "Complete") and _time(job["status"]["completionTime"]) == newest
        ]
        failed = [_time(job["status"]["startTime"]) for job in runs if _holds(job, "Failed")]
        last_failure = max(failed, default=None)
        return Backup(
            schedule=cron["spec"]["schedule"],
            since=_time(cron["metadata"]["creationTimestamp"]),
            suspended=bool(cron["spec"].get("suspend")),
            restoring=_begun(cron),
            kept_in=_repository(spec),
            taken=min(begun, default=newest),
            failed=last_failure if last_failure and (newest is None or last_failure > newest) else None,
            running=any(not _holds(job, "Complete") and not _holds(job, "Failed") for job in runs),
        )

    def _certificate(self, origin: str) -> Certificate:
        host = Endpoint(origin).host
        name = next(
            (
                tls.get("secretName")
                for ingress in self._objects("Ingress")
                for tls in at(ingress, "spec", "tls") or ()
                if host in (tls.get("hosts") or ())
            ),
            None,
        )
        if not name:
            # A Gateway's, a load balancer's or the controller's own: what it is, is what the host shows.
            certificate = Endpoint(origin).certificate(_anybody())
            return _certificate(host, "what the host shows", certificate)
        issued = _known(self._object, "Certificate", name)
        issued = None if isinstance(issued, Unknown) else issued
        trouble = None if issued is None or _holds(issued, "Ready") else scrubbed(_why(issued, "Ready"))
        try:
            secret = self.found.core("secrets", name)
        except ProgramError:
            if not at(issued, "status", "notAfter"):
                raise
            begins, ends = (_time(at(issued, "status", key)) for key in ("notBefore", "notAfter"))
            return Certificate(
                host=host, held_in=f"Certificate {name}", begins=begins, ends=ends, trouble=trouble
            )
        if not at(secret, "data", "tls.crt"):
            return Certificate(host=host, held_in=f"Secret {name}", begins=None, ends=None, trouble=trouble)
        certificate = x509.load_pem_x509_certificate(base64.b64decode(at(secret, "data", "tls.crt")))
        return _certificate(host, f"Secret {name}", certificate, trouble)

    def _unfinished(self) -> tuple[str, ...]:
        return tuple(self._begun())

    def _begun(self) -> Iterator[str]:
        stack = self.stack
        if self._state.get("pending_operations"):
            yield f"a `pulumi up` was killed, or runs now; if not: python -m operations recover --stack {stack}"
        if self.outputs.released:
            yield f"{', '.join(self.outputs.released)} released, and nothing has taken the place yet: `pulumi up`"
        for job in self._objects("Job"):
            name = job["metadata"]["name"]
            running = not _holds(job, "Complete") and not _holds(job, "Failed")
            if name == RESTORE and running:
                yield f"Job {name} runs"
        bootstraps = [
            job
            for job in self._objects("Job")
            if at(job, "metadata", "labels", "app.kubernetes.io/component") == "bootstrap"
        ]
        newest = sorted(bootstraps, key=lambda job: str(job["metadata"]["creationTimestamp"]))
        # The key's guard and the bootstrap itself.
        for job in newest[-2:]:
            if _holds(job, "Failed"):
                yield f"Job {job['metadata']['name']} failed: {scrubbed(_why(job, 'Failed'))}"

    # --- inside pods ----------------------------------------------------------------------------

    def _exec(self, pod: str, container: str, *words: str) -> str:
        return self.kubectl.run("exec", pod, f"--container={container}", "--", *words)

    def _inside(self) -> Inside:
        serving = [
            each
            for each in self._living()
            if at(each, "metadata", "labels", "app") == self.outputs.backend_service
            and any(row["name"] == BACKEND and "running" in row["state"] for row in _containers(each))
        ]
        # A ready one first; one that is not ready may know why.
        for pod in sorted(serving, key=lambda each: not _holds(each, "Ready")):
            said = self._exec(pod["metadata"]["name"], BACKEND, "python3", "-c", INSIDE.read_text())
            return msgspec.json.decode(said, type=Inside)
        raise ProgramError("no pod of the backend runs")

    def _mounted(self) -> dict[str, tuple[str, str, str]]:
        """Pod, container and path by claim, for claims that a running pod mounts."""
        pods = _known(self._living)
        mounted: dict[str, tuple[str, str, str]] = {}
        for pod in () if isinstance(pods, Unknown) else pods:
            claims = {
                volume["name"]: claim
                for volume in pod["spec"].get("volumes", ())
                if (claim := at(volume, "persistentVolumeClaim", "claimName"))
            }
            running = {row["name"] for row in _containers(pod) if "running" in row["state"]}
            for container in pod["spec"]["containers"]:
                for mount in container.get("volumeMounts", ()) if container["name"] in running else ():
                    if claim := claims.get(mount["name"]):
                        where = pod["metadata"]["name"], container["name"], mount["mountPath"]
                        mounted.setdefault(claim, where)
        return dict(sorted(mounted.items()))

    def _volume(self, claim: str, pod: str, container: str, path: str) -> Volume:
        # 1024-blocks, used, available, capacity, where; the first column may hold anything.
        _, used, free, _, _ = (
            self._exec(pod, container, "df", "-Pk", path).strip().splitlines()[-1].split()[-5:]
        )
        taken, left = int(used), int(free)
        return Volume(claim=claim, percent=-(-100 * taken // max(taken + left, 1)), free_kib=left)

    def _key(self) -> Key:
        outputs = self.outputs
        pods = _known(self._living)
        rotating = (
            pod["metadata"]["name"]
            for pod in (() if isinstance(pods, Unknown) else pods)
            for row in _containers(pod)
            if row["name"] == ROTATION and "running" in row["state"]
        )
        return Key(
            reference=outputs.secret_key,
            generation=outputs.key_generation if outputs.generated_key else None,
            rotations=outputs.key_rotations or 0,
            rotating=tuple(rotating),
        )


def _called(row: Object) -> str:
    """The name of a workload's line; a Cluster has the name of what it is."""
    name = str(row["metadata"]["name"])
    return f"{row['kind']} {name}" if row["kind"] == "Cluster" else name


def _known(part: Callable[..., T], *words: Any) -> Known[T]:
    """What a part says, or why it could not."""
    try:
        return part(*words)
    except ProgramError as error:
        return Unknown(_first(str(error)))
    except (OSError, ValueError, LookupError, TypeError, msgspec.MsgspecError) as error:
        # An answer of another shape than ours knows is no answer.
        return Unknown(_first(f"{type(error).__name__}: {error}"))


def _first(text: str) -> str:
    """The first line of an error, without what looks like a secret."""
    return scrubbed(" ".join(text.split()))[:300]


def _edited(declared: Iterable[Object], live: Collection[Object]) -> Iterator[str]:
    """Objects that are gone, and numbers and images that are not the declared ones."""
    known = {(row["kind"], row["metadata"]["name"]): row for row in live}
    kinds = {kind for kind, _ in known}
    for row in declared:
        kind, name = row["kind"], row["metadata"].get("name")
        found = known.get((kind, name))
        if found is None:
            if kind in kinds & {*WORKLOADS, "CronJob", "Service", "Ingress", "NetworkPolicy", "HTTPRoute"}:
                yield f"{kind} {name} does not exist"
            continue
        for key in ("replicas", "instances", "schedule", "suspend"):
            said, now = at(row, "spec", key), at(found, "spec", key)
            if said is not None and said != now:
                yield f"{kind} {name}: {key} is {now} instead of {said}"
        said, now = (dict(_images(each)) for each in (row, found))
        for container, image in said.items():
            if now.get(container, image) != image:
                yield f"{kind} {name}: image of {container} is {now[container]} instead of {image}"


def _images(row: Object) -> Iterator[tuple[str, str]]:
    spec = row.get("spec")
    template = at(spec, "template") or at(spec, "jobTemplate", "spec", "template")
    for part in ("initContainers", "containers"):
        for container in at(template, "spec", part) or ():
            yield container["name"], container["image"]


def _pod(pod: Object, zones: dict[str, str | None], now: datetime) -> Pod:
    node = at(pod, "spec", "nodeName")
    rows = _containers(pod)
    again = [row for row in rows if row.get("restartCount")]
    last: Object = max(again, key=_ended, default={})
    ended = at(last, "lastState", "terminated") or {}
    return Pod(
        name=pod["metadata"]["name"],
        workload=_owner(pod),
        node=node,
        zone=zones.get(node or ""),
        ready=_holds(pod, "Ready"),
        trouble=_trouble(pod, now),
        restarts=sum(row["restartCount"] for row in again),
        restarted=_ended(last) if ended else None,
        reason=f"{last['name']} ended: {ended.get('reason', 'unknown')}, exit code {ended.get('exitCode', '?')}"
        if last
        else None,
    )


def _owner(pod: Object) -> str:
    owner = next(iter(pod["metadata"].get("ownerReferences") or ()), {"kind": "", "name": ""})
    if owner["kind"] == "ReplicaSet":
        return str(owner["name"]).rpartition("-")[0]
    return str(owner["name"]) if owner["kind"] in WORKLOADS else ""


def _trouble(pod: Object, now: datetime) -> str | None:
    conditions = {row["type"]: row for row in at(pod, "status", "conditions") or ()}
    scheduled = conditions.get("PodScheduled")
    if scheduled and scheduled["status"] == "False":
        return scrubbed(f"no node takes it: {scheduled.get('message') or scheduled.get('reason')}")
    leaves = pod["metadata"].get("deletionTimestamp")
    if leaves:
        return f"is to be gone since {leaves}" if now - _time(leaves) > START else None
    for row in _containers(pod):
        waiting = row["state"].get("waiting") or {}
        if waiting.get("reason") not in (None, *STARTING):
            return scrubbed(f"{row['name']}: {waiting['reason']}: {waiting.get('message', '')}"[:300])
    ready = conditions.get("Ready")
    since = (ready or {}).get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    if not _holds(pod, "Ready") and now - _time(since) > START and _owner(pod):
        return f"is not ready since {since}"
    return None


def _containers(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _ended(row: Object) -> datetime:
    when = at(row, "lastState", "terminated", "finishedAt") or at(row, "state", "terminated", "finishedAt")
    return _time(when) if when else datetime.min.replace(tzinfo=UTC)


def _begun(cron: Object) -> str | None:
    note = json.loads((cron["metadata"].get("annotations") or {}).get(RESTORING, "{}"))
    return str(note["backup"]) if note else None


def _repository(spec: Object) -> str:
    """A bucket's URL, or the claim that is mounted where backups are kept."""
    [container] = [row for row in spec["containers"] if row["name"] == "repository"]
    url = next(row.get("value", "") for row in container["env"] if row["name"] == "RESTIC_REPOSITORY")
    claims = {volume["name"]: at(volume, "persistentVolumeClaim", "claimName") for volume in spec["volumes"]}
    return scrubbed(url) if ":" in url else f"claim {claims['backups']}"


def _certificate(host: str, held_in: str, it: x509.Certificate, trouble: str | None = None) -> Certificate:
    return Certificate(
        host=host,
        held_in=held_in,
        begins=it.not_valid_before_utc,
        ends=it.not_valid_after_utc,
        trouble=trouble,
    )


def _anybody() -> ssl.SSLContext:
    """A context that trusts whoever answers: `operations validate` verifies, this reads a date."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _holds(each: Object, condition: str) -> bool:
    return any(
        row["type"] == condition and row["status"] == "True" for row in at(each, "status", "conditions") or ()
    )


def _why(each: Object, condition: str) -> str:
    rows = [row for row in at(each, "status", "conditions") or () if row["type"] == condition]
    return next((str(row.get("message") or row.get("reason")) for row in rows), "unknown")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
