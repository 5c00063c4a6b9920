"""The policy pack: the policies, in the engine's words. What the stack's config says decides how they are enforced."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

# Pulumi's language host runs the pack by path, in the pack's own folder: nothing but the pack itself is importable then.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pulumi
import pulumi_policy as engine
from pulumi_policy.proxy import UnknownValueError

from policies.catalogue import POLICIES
from policies.policy import Policy
from policies.resources import Resource, Stack, parent


def pack() -> None:
    """Serves the engine until it goes."""
    config = pulumi.Config("skillflaw")
    stack = Stack.of({key: _parsed(config.get(key)) for key in ("surfaces", "images", "protection")})
    engine.PolicyPack(
        "skillflaw",
        [_policy(policy, stack) for policy in POLICIES],
        engine.EnforcementLevel.MANDATORY if stack.protected else engine.EnforcementLevel.ADVISORY,
    )


def _parsed(section: str | None) -> Any:
    """A section of the stack file; None for one that is absent, blank or plain text."""
    try:
        return json.loads(section or "null")
    except json.JSONDecodeError:
        return None


def _policy(policy: Policy, stack: Stack) -> engine.Policy:
    if policy.whole:
        return engine.StackValidationPolicy(
            policy.name, policy.what, _whole(policy, stack), remediation_steps=policy.remedy
        )
    return engine.ResourceValidationPolicy(
        policy.name, policy.what, _alone(policy, stack), remediation_steps=policy.remedy
    )


def _alone(policy: Policy, stack: Stack) -> engine.ResourceValidation:
    """Judges each resource before it is touched."""

    def validate(args: engine.ResourceValidationArgs, report: engine.ReportViolation) -> None:
        resource = _resource(args.resource_type, args)
        for violation in policy.check(resource, stack):
            report(f"{violation}. {policy.remedy}", args.urn)

    return validate


def _whole(policy: Policy, stack: Stack) -> engine.StackValidation:
    """Judges each resource next to the rest of its stack, at the end of a preview or an update."""

    def validate(args: engine.StackValidationArgs, report: engine.ReportViolation) -> None:
        resources = [_resource(declared.resource_type, declared) for declared in args.resources]
        whole = replace(stack, resources=resources)
        for declared, resource in zip(args.resources, resources, strict=True):
            for violation in policy.check(resource, whole):
                report(f"{violation}. {policy.remedy}", declared.urn)

    return validate


def _resource(type_: str, declared: engine.ResourceValidationArgs | engine.PolicyResource) -> Resource:
    return Resource(
        type=type_,
        name=declared.name,
        properties=_plain(declared.props),
        protect=declared.opts.protect,
        parent=parent(declared.urn),
    )


def _plain(value: Any) -> Any:
    """A value out of the SDK's wrappers, which raise at each touch of what is not known yet."""
    if isinstance(value, Mapping):
        return dict(_known(value, value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item for _, item in _known(value, range(len(value)))]
    return value


def _known(holder: Any, keys: Any) -> Iterator[tuple[Any, Any]]:
    for key in keys:
        try:
            yield key, _plain(holder[key])
        except UnknownValueError:
            yield key, None


pack()
