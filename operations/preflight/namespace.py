"""The namespace: there if it is found, free if it is made, and nobody else's."""

from collections.abc import Iterator

from operations.ownership import is_own, owner
from operations.preflight.found import Found
from operations.preflight.pod_security import violations
from operations.preflight.problem import Outcome, Problem
from operations.preflight.wanted import Object, Wanted, name_of
from operations.review.preview import at

ENFORCE = "pod-security.kubernetes.io/enforce"


def usable(wanted: Wanted, found: Found) -> Outcome:
    live = found.read(f"/api/v1/namespaces/{found.namespace}")
    own = next(iter(wanted.of("Namespace")), None)
    problems = [*_existence(wanted, own, live), *_owner(wanted, found, own, live)]
    if live is None:
        return Outcome(f"Namespace {found.namespace}: does not exist yet", tuple(problems))
    level = at(live, "metadata", "labels", ENFORCE) or "privileged"
    problems += _admission(wanted, level)
    return Outcome(f"Namespace {found.namespace}: exists, Pod Security {level}", tuple(problems))


def _existence(wanted: Wanted, own: Object | None, live: Object | None) -> Iterator[Problem]:
    what = f"Namespace {wanted.namespace}"
    if live and at(live, "status", "phase") == "Terminating":
        yield Problem(
            what, "it is being deleted", "wait until it is gone, or see what its finalizers wait for"
        )
    elif not own and not live:
        yield Problem(
            f"{what}, which the stack finds and does not make",
            "no such namespace",
            f"kubectl create namespace {wanted.namespace}, or namespace.create: true",
        )
    elif own and own not in wanted.made and not live:
        yield Problem(
            f"{what}, which the stack made", "no such namespace", "pulumi up --refresh makes it again, empty"
        )
    elif own in wanted.made and live and not owner(live):
        yield Problem(
            f"{what}, which the stack would make",
            "it exists" + (", made by a stack whose state is not this one's" if is_own(live) else ""),
            "namespace.name: another one; or namespace.create: false, to use it as it is; "
            "or operations adopt, if it is this stack's and its state was lost",
        )


def _owner(wanted: Wanted, found: Found, own: Object | None, live: Object | None) -> Iterator[Problem]:
    """Marks of other stacks; of this one too, when its state knows nothing of a namespace that it would make."""
    ours = {mark for each in wanted.objects if (mark := owner(each))}
    marked = [live, *found.own("configmaps")] if live else []
    for mark in sorted({mark for each in marked if (mark := owner(each))}):
        if mark not in ours:
            yield Problem(
                f"Namespace {wanted.namespace}, for this stack alone",
                f"it belongs to the stack {mark}",
                "namespace.name: another one; two stacks in one namespace would take each other's objects",
            )
        elif own in wanted.made:
            yield Problem(
                f"Namespace {wanted.namespace}, which the stack would make",
                "it exists and is this stack's, whose state does not know it",
                "restore the state, or operations adopt",
            )


def _admission(wanted: Wanted, level: str) -> Iterator[Problem]:
    for pods in wanted.pods:
        if found := violations(pods.spec, level):
            yield Problem(
                f"pods of {pods.owner}, admitted to Namespace {wanted.namespace}",
                f"Pod Security {level} refuses them: {', '.join(found)}",
                f"a namespace whose label {ENFORCE} admits them, or a stack file that asks for less",
            )


def free(wanted: Wanted, found: Found) -> Outcome:
    """Names of the objects that would be made."""
    made = [
        each
        for each in wanted.named
        if each["kind"] != "Namespace" and each["kind"] in found.kinds(each["apiVersion"])
    ]
    problems = tuple(
        Problem(
            f"{name_of(each)}, which the stack would make",
            "it exists" + (", made by some stack of the program" if is_own(each) else ""),
            "operations adopt, if it is this stack's and its state was lost; otherwise another namespace.name",
        )
        for each in (found.kubectl.existing(made) if made else ())
    )
    return Outcome(f"names of {len(made)} objects to be made", problems)
