"""Label selectors, as the API server reads them."""

from collections.abc import Iterator, Mapping
from typing import Any


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels match a selector; an empty one matches all."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_holds(row, labels) for row in selector.get("matchExpressions") or ())


def _holds(row: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(row["key"]), row.get("values") or ()
    match row["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
    return value is None


def query(selector: Mapping[str, Any]) -> str:
    """A selector as the parameter `labelSelector` of a list."""
    return ",".join(_terms(selector))


def words(selector: Mapping[str, Any]) -> str:
    """A selector for a reader."""
    return query(selector) or "any labels"


def _terms(selector: Mapping[str, Any]) -> Iterator[str]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield f"{key}={value}"
    for row in selector.get("matchExpressions") or ():
        values = ",".join(row.get("values") or ())
        match row["operator"]:
            case "In":
                yield f"{row['key']} in ({values})"
            case "NotIn":
                yield f"{row['key']} notin ({values})"
            case "Exists":
                yield row["key"]
            case _:
                yield f"!{row['key']}"
