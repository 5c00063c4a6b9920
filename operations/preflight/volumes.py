"""Claims that pods name, and StorageClasses of the claims that would be made."""

from collections.abc import Iterator

from operations.preflight.found import Found
from operations.preflight.problem import Outcome, Problem
from operations.preflight.wanted import Object, Wanted
from operations.review.preview import at

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
ONE_NODE = frozenset(
    {
        "cinder.csi.openstack.org",
        "csi.hetzner.cloud",
        "disk.csi.azure.com",
        "dobs.csi.digitalocean.com",
        "ebs.csi.aws.com",
        "kubernetes.io/aws-ebs",
        "kubernetes.io/azure-disk",
        "kubernetes.io/cinder",
        "kubernetes.io/gce-pd",
        "linodebs.csi.linode.com",
        "pd.csi.storage.gke.io",
        "rancher.io/local-path",
        "topolvm.io",
    }
)
"""Provisioners whose file systems are those of one node at a time."""


def claims(wanted: Wanted, found: Found) -> Outcome:
    """Claims that pods name and the stack does not make."""
    readers: dict[str, list[str]] = {}
    for pods in wanted.pods:
        for volume in pods.spec.get("volumes") or ():
            name = at(volume, "persistentVolumeClaim", "claimName")
            if name and not wanted.holds("PersistentVolumeClaim", name):
                readers.setdefault(name, []).append(pods.owner)
    problems = tuple(
        problem
        for name, owners in sorted(readers.items())
        for problem in _claim(f"PersistentVolumeClaim {name}, for {', '.join(owners)}", name, found)
    )
    looked_at = (
        f"claims that pods refer to and the stack does not make: {', '.join(sorted(readers)) or 'none'}"
    )
    return Outcome(looked_at, problems)


def _claim(what: str, name: str, found: Found) -> Iterator[Problem]:
    live = found.core("persistentvolumeclaims", name)
    if live is None:
        yield Problem(what, f"none in namespace {found.namespace}", "make it, or let the stack make one")
        return
    phase = at(live, "status", "phase") or "Pending"
    of_class = at(live, "spec", "storageClassName")
    modes = {each["metadata"]["name"]: each.get("volumeBindingMode") for each in found.items(CLASSES)}
    if live["metadata"].get("deletionTimestamp"):
        yield Problem(what, "it is being deleted", "name another one")
    elif phase != "Bound" and not (phase == "Pending" and modes.get(of_class) == "WaitForFirstConsumer"):
        yield Problem(
            what, f"it is {phase}", f"see kubectl describe pvc {name} --namespace={found.namespace}"
        )


def classes(wanted: Wanted, found: Found) -> Outcome:
    """StorageClasses of the claims that would be made, and the access modes that they know."""
    live = {each["metadata"]["name"]: each for each in found.items(CLASSES)}
    problems = tuple(problem for owner, spec in wanted.claims for problem in _class(owner, spec, live))
    asked = sorted({spec.get("storageClassName", "the default") or "none" for _, spec in wanted.claims})
    return Outcome(f"StorageClasses of claims to be made: {', '.join(asked) or 'none'}", problems)


def _class(owner: str, spec: Object, live: dict[str, Object]) -> Iterator[Problem]:
    name = spec.get("storageClassName")
    # The empty name asks for a volume that somebody makes by hand.
    if name == "":
        return
    known = f"name one of {', '.join(sorted(live))}" if live else "install a provisioner"
    if name is None:
        defaults = [
            key for key, each in live.items() if at(each, "metadata", "annotations", DEFAULT) == "true"
        ]
        if not defaults:
            yield Problem(
                f"a default StorageClass, for {owner}",
                "none has the annotation of the default",
                f"{known} as className in the stack file",
            )
            return
        name = defaults[0]
    if name not in live:
        yield Problem(f"StorageClass {name}, for {owner}", "none of that name", known)
        return
    provisioner = live[name].get("provisioner")
    shared = {"ReadWriteMany", "ReadOnlyMany"} & set(spec.get("accessModes") or ())
    if shared and provisioner in ONE_NODE and spec.get("volumeMode") != "Block":
        yield Problem(
            f"{', '.join(sorted(shared))} of {owner}",
            f"{provisioner} of StorageClass {name} makes volumes of one node at a time",
            "a className of shared files (NFS, CephFS, EFS, Filestore, Azure Files), or accessMode: ReadWriteOnce "
            "with one replica",
        )
