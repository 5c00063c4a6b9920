"""How operations reach a surface whose name no DNS knows."""

import socket

import pytest

from operations.wire import resolved


def addresses(host: str | bytes) -> set[str]:
    return {row[4][0] for row in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}


@pytest.mark.parametrize("host", ["api.skillflaw.test", b"api.skillflaw.test"])
def test_a_host_leads_to_the_address_while_the_block_runs(host):
    with resolved({"api.skillflaw.test"}, "127.0.0.7"):
        assert addresses(host) == {"127.0.0.7"}


def test_no_other_host_is_led_anywhere():
    with resolved({"api.skillflaw.test"}, "127.0.0.7"):
        assert addresses("127.0.0.8") == {"127.0.0.8"}


def test_the_process_resolves_as_before_once_the_block_ended_by_an_error():
    before = socket.getaddrinfo
    with pytest.raises(RuntimeError), resolved({"api.skillflaw.test"}, "127.0.0.7"):
        raise RuntimeError
    assert socket.getaddrinfo is before
