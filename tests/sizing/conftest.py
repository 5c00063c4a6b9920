"""What a pod carries, on the lab that `make up` starts."""

from tests.live.conftest import committed, edited, kubectl, lab, minted, stack

__all__ = ["committed", "edited", "kubectl", "lab", "minted", "stack"]
