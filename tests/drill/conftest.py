"""What an operator should have seen once, on the lab that `make up` starts."""

from tests.live.conftest import both_nodes, kubectl, lab

__all__ = ["both_nodes", "kubectl", "lab"]
