"""The archive: what is read of a stack and its cluster, scrubbed, in one file that only its owner can read."""

import base64
import io
import json
import os
import tarfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from operations.diagnose.scrubber import Scrubber
from operations.preflight.found import Found
from operations.program import ProgramError, output_of
from operations.stack import PULUMI_SECONDS
from operations.status import gather
from operations.status.asked import Asked
from operations.status.report import as_json

AT_ONCE = 8
LOG_LINES = 2000
LOG_BYTES = 1 << 20
"""Most that is taken of a container's log; twice, if it was started again."""
KINDS = {
    "v1": ("configmaps", "endpoints", "limitranges", "persistentvolumeclaims", "pods", "resourcequotas", "serviceaccounts",
        "services"),
    "apps/v1": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "autoscaling/v2": ("horizontalpodautoscalers",),
    "batch/v1": ("cronjobs", "jobs"),
    "discovery.k8s.io/v1": ("endpointslices",),
    "networking.k8s.io/v1": ("ingresses", "networkpolicies"),
    "policy/v1": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io/v1": ("rolebindings", "roles"),
    "gateway.networking.k8s.io/v1": ("httproutes",),
    "cert-manager.io/v1": ("certificaterequests", "certificates"),
    "acme.cert-manager.io/v1": ("challenges", "orders"),
    "barmancloud.cnpg.io/v1": ("objectstores",),
    "postgresql.cnpg.io/v1": ("backups", "clusters", "imagecatalogs", "scheduledbackups"),
    "external-secrets.io/v1": ("externalsecrets",),
    "monitoring.coreos.com/v1": ("podmonitors", "prometheusrules", "servicemonitors"),
}  # fmt: skip
"""Resources of the namespace by version of their API; those that the cluster does not serve are left out."""
UPDATE = ("version", "kind", "startTime", "endTime", "result", "resourceChanges")
"""What is taken of an entry of the stack's history: neither configuration nor who ran it where."""
LABELS = ("name", "labels", "creationTimestamp", "ownerReferences")

Object = dict[str, Any]


class UnreadableError(ProgramError):
    """Secrets that cannot be read: nothing could be scrubbed of their values."""


def write(asked: Asked, file: Path) -> list[str]:
    """Writes the archive, and returns what could not be read, a sentence each.

    Raises:
        UnreadableError: no archive is written.
        OSError: the file exists, or cannot be written.
    """
    secrets = _secrets(asked.found)
    scrubber = Scrubber(_values(asked, secrets), _names(asked))
    folder = scrubber.text(file.name.partition(".")[0])
    members, lacking = _read(asked, scrubber, secrets)
    with (
        os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to,
        tarfile.open(fileobj=to, mode="w:gz") as archive,
    ):
        for name, content in sorted(members.items()):
            info = tarfile.TarInfo(f"{folder}/{scrubber.text(name)}")
            data = content.encode()
            info.size, info.mode, info.mtime = len(data), 0o600, int(asked.now.timestamp())
            archive.addfile(info, io.BytesIO(data))
    return lacking


def _read(asked: Asked, scrubber: Scrubber, secrets: list[Object]) -> tuple[dict[str, str], list[str]]:
    """Contents of the files by name, scrubbed, and what could not be read."""
    found, namespace = asked.found, asked.found.namespace
    parts: dict[str, Callable[[], str]] = {
        "status.json": lambda: _json(scrubber.value(json.loads(as_json(gather.status(asked))[0]))),
        "outputs.json": lambda: _json(_outputs(asked, scrubber)),
        "versions.json": lambda: _json(scrubber.value(_versions(asked))),
        "history.json": lambda: _json(scrubber.value(_history(asked.stack))),
        "secrets.yaml": lambda: _yaml(scrubber.value([_outline(each) for each in secrets])),
        "nodes.yaml": lambda: _yaml(scrubber.value(list(map(_noted, found.items("/api/v1/nodes"))))),
        "namespace.yaml": lambda: _yaml(
            scrubber.value(_noted(found.read(f"/api/v1/namespaces/{namespace}") or {}))
        ),
        "events.yaml": lambda: _yaml(scrubber.value(_events(found))),
    }
    for version, resources in KINDS.items():
        for resource in resources:
            parts[f"objects/{resource}.yaml"] = partial(_objects, found, scrubber, version, resource)
    for name, words in _logs(found):
        parts[name] = partial(_log, asked, scrubber, words)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        read = list(threads.map(_or_error, parts.values()))
    members = {
        name: content
        for name, content in zip(parts, read, strict=True)
        if isinstance(content, str) and content
    }
    lacking = [
        scrubber.text(f"{name}: {' '.join(str(error).split())[:300]}")
        for name, error in zip(parts, read, strict=True)
        if isinstance(error, ProgramError)
    ]
    if lacking:
        members["not-read.txt"] = "\n".join([*lacking, ""])
    return members, lacking


def _log(asked: Asked, scrubber: Scrubber, words: Sequence[str]) -> str:
    return scrubber.text(asked.kubectl.run(*words))


def _or_error(part: Callable[[], str]) -> str | ProgramError:
    try:
        return part()
    except ProgramError as error:
        return error


# --- what the scrubber knows --------------------------------------------------------------------


def _secrets(found: Found) -> list[Object]:
    try:
        return found.own("secrets")
    except ProgramError as error:
        raise UnreadableError(
            f"the Secrets of namespace {found.namespace} cannot be read, so no text could be searched for their values:"
            f" whoever runs this needs the verb `list` on `secrets` there ({error})"
        ) from None


def _values(asked: Asked, secrets: list[Object]) -> dict[str, bytes]:
    """Values by the name and key of their Secret; the kubeconfig of the stack file is one too."""
    values = {
        f"{each['metadata']['name']}/{key}": base64.b64decode(value)
        for each in secrets
        for key, value in (each.get("data") or {}).items()
    }
    if asked.outputs.kubeconfig:
        values["of-the-stack-file/kubeconfig"] = asked.outputs.kubeconfig.encode()
    return values


def _names(asked: Asked) -> set[str]:
    """Words that are in every object: hiding them would hide everything, and they are no secrets."""
    outputs = asked.outputs
    hosts = [origin.rpartition("/")[2] for origin in outputs.surfaces.values()]
    objects = [row["metadata"].get("name") for row in asked.declared]
    kinds = [row["kind"] for row in asked.declared]
    return {
        "skillflaw",
        outputs.namespace,
        asked.stack,
        *hosts,
        *filter(None, objects),
        *kinds,
        "true",
        "false",
    }


# --- what is read -------------------------------------------------------------------------------


def _objects(found: Found, scrubber: Scrubber, version: str, resource: str) -> str:
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    listed = found.read(f"{root}/namespaces/{found.namespace}/{resource}") or {}
    # The items of a list do not say what they are.
    kind = {"apiVersion": version, "kind": str(listed.get("kind")).removesuffix("List")}
    rows = listed.get("items") or []
    return _yaml(scrubber.value([kind | _noted(each) for each in rows])) if rows else ""


def _noted(each: Object) -> Object:
    """An object without the names of the fields that each of its managers wrote, which are as long as itself."""
    metadata = dict(each.get("metadata") or {})
    metadata["managedFields"] = [
        {key: inner for key, inner in row.items() if key != "fieldsV1"}
        for row in metadata.get("managedFields") or ()
    ]
    return each | {"metadata": metadata}


def _outline(secret: Object) -> Object:
    """A Secret without anything that anybody wrote into it but names."""
    return {
        "metadata": {key: secret["metadata"][key] for key in LABELS if key in secret["metadata"]},
        "type": secret.get("type"),
        "immutable": secret.get("immutable", False),
        "data": [
            {"key": key, "bytes": len(base64.b64decode(value))}
            for key, value in (secret.get("data") or {}).items()
        ],
    }


def _events(found: Found) -> list[Object]:
    rows = found.own("events")
    rows.sort(key=lambda row: str(row.get("lastTimestamp") or row.get("eventTime") or ""))
    keys = (
        "type",
        "reason",
        "message",
        "count",
        "firstTimestamp",
        "lastTimestamp",
        "eventTime",
        "involvedObject",
    )
    return [{key: row[key] for key in keys if row.get(key)} for row in rows]


def _logs(found: Found) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Files and kubectl's words for each container that has a log, and for the one before it."""
    # Without timestamps in front of the lines: a value of several lines would be no more what it was.
    bounds = (f"--tail={LOG_LINES}", f"--limit-bytes={LOG_BYTES}")
    for pod in found.own("pods"):
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        for row in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            words = ("logs", name, f"--container={row['name']}", *bounds)
            if "waiting" not in row["state"] or row.get("restartCount"):
                yield f"logs/{name}.{row['name']}.log", words
            if row.get("restartCount"):
                yield f"logs/{name}.{row['name']}.previous.log", (*words, "--previous")


def _outputs(asked: Asked, scrubber: Scrubber) -> Object:
    """Outputs but the kubeconfig; those with the name of a secret say where it is, and are shown."""
    shown = {key: value for key, value in asked.outputs.by_name().items() if key != "kubeconfig"}
    return {key: _each(scrubber.text, value) for key, value in shown.items()}


def _each(change: Callable[[str], str], value: Any) -> Any:
    """A value whose every text is changed."""
    if isinstance(value, dict):
        return {key: _each(change, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_each(change, inner) for inner in value]
    return change(value) if isinstance(value, str) else value


def _versions(asked: Asked) -> Object:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    return {
        "program": project["version"],
        "kubernetes": json.loads(asked.kubectl.run("version", "--output=json")),
        "pulumi": output_of("pulumi", "version", seconds=PULUMI_SECONDS).strip(),
        "providers": asked.providers,
    }


def _history(stack: str) -> list[Object]:
    words = (
        "stack",
        "history",
        "--json",
        "--page-size=50",
        "--page=1",
        f"--stack={stack}",
        "--non-interactive",
    )
    rows = json.loads(output_of("pulumi", *words, seconds=PULUMI_SECONDS))
    return [{key: row[key] for key in UPDATE if key in row} for row in rows]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _yaml(value: Any) -> str:
    return msgspec.yaml.encode(value).decode()
