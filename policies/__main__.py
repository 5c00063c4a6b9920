"""The policy pack: the rules, in the engine's words. What the stack's config says decides how they are enforced."""

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

from policies.resources import Resource, Stack
from policies.rules import RULES, Rule


def pack() -> None:
    """Serves the engine until it goes."""
    config = pulumi.Config("skillflaw")
    stack = Stack.of({key: config.get_object(key) or {} for key in ("surfaces", "images", "protection")})
    engine.PolicyPack(
        "skillflaw",
        [_policy(rule, stack) for rule in RULES],
        engine.EnforcementLevel.MANDATORY if stack.protected else engine.EnforcementLevel.ADVISORY,
    )


def _policy(rule: Rule, stack: Stack) -> engine.Policy:
    words = {"name": rule.name, "description": rule.what, "remediation_steps": rule.remedy}
    if rule.whole:
        return engine.StackValidationPolicy(**words, validate=_whole(rule, stack))
    return engine.ResourceValidationPolicy(**words, validate=_alone(rule, stack))


def _alone(rule: Rule, stack: Stack) -> engine.ResourceValidation:
    """Judges each resource before it is touched."""

    def validate(args: engine.ResourceValidationArgs, report: engine.ReportViolation) -> None:
        resource = _resource(args.resource_type, args)
        for words in rule.check(resource, stack):
            report(f"{words}. {rule.remedy}", args.urn)

    return validate


def _whole(rule: Rule, stack: Stack) -> engine.StackValidation:
    """Judges each resource beside all others, at the end of a preview or an update."""

    def validate(args: engine.StackValidationArgs, report: engine.ReportViolation) -> None:
        resources = [_resource(told.resource_type, told) for told in args.resources]
        whole = replace(stack, resources=resources)
        for told, resource in zip(args.resources, resources, strict=True):
            for words in rule.check(resource, whole):
                report(f"{words}. {rule.remedy}", told.urn)

    return validate


def _resource(type_: str, told: Any) -> Resource:
    return Resource(type=type_, name=told.name, properties=_plain(told.props), protect=told.opts.protect)


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
