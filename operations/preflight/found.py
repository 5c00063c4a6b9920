"""What the cluster has, read by paths of its API, each once."""

import json
from functools import cache
from typing import Any
from urllib.parse import urlencode

from operations.kubectl import Kubectl
from operations.program import ProgramError

Object = dict[str, Any]


class Found:
    """A cluster and one of its namespaces. Every method raises ProgramError when the API server does not answer it."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self.read = cache(self._read)

    @property
    def namespace(self) -> str:
        return self.kubectl.namespace

    def _read(self, path: str) -> Object | None:
        """What the API server answers to a path; None where there is nothing."""
        try:
            answer: Object = json.loads(self.kubectl.run("get", f"--raw={path}"))
        except ProgramError as error:
            if "(NotFound)" in str(error):
                return None
            raise
        return answer

    def items(self, path: str, **query: str) -> list[Object]:
        """Every object of a list; none where the API server knows no such kind."""
        answer = self.read(f"{path}?{urlencode(query)}" if query else path) or {}
        return answer.get("items") or []

    def own(self, resource: str) -> list[Object]:
        """Every object of a kind of the core API in the namespace, by the kind's plural."""
        return self.items(f"/api/v1/namespaces/{self.namespace}/{resource}")

    def core(self, resource: str, name: str) -> Object | None:
        """One object of the core API in the namespace."""
        return self.read(f"/api/v1/namespaces/{self.namespace}/{resource}/{name}")

    def kinds(self, version: str) -> dict[str, Object]:
        """What a version of an API group (`v1`, `apps/v1`) serves: the description of each resource by its kind."""
        answer = self.read(f"/apis/{version}" if "/" in version else f"/api/{version}") or {}
        return {each["kind"]: each for each in answer.get("resources", ()) if "/" not in each["name"]}

    def namespaces(self) -> dict[str, dict[str, str]]:
        """Labels of every namespace."""
        return {
            each["metadata"]["name"]: each["metadata"].get("labels") or {}
            for each in self.items("/api/v1/namespaces")
        }
