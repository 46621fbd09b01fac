"""Ports: the preferred one, else the next, and never the same one twice."""

from __future__ import annotations

import socket

import pytest

from deploy.embedded.ports import LOOPBACK, NoFreePort, reserved_port


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_free_port_is_taken_as_wanted() -> None:
    wanted = _any_port()
    with reserved_port(wanted) as port:
        assert port == wanted


def test_a_port_with_a_listener_is_passed_over() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        taken = listener.getsockname()[1]
        with reserved_port(taken) as port:
            assert port > taken


def test_two_plants_that_want_one_port_get_two() -> None:
    wanted = _any_port()
    with reserved_port(wanted) as first, reserved_port(wanted) as second:
        assert first != second


def test_a_child_can_listen_on_a_reserved_port() -> None:
    with reserved_port(_any_port()) as port, socket.socket() as child:
        child.bind((LOOPBACK, port))
        child.listen()


def test_a_port_is_free_again_after_its_block() -> None:
    wanted = _any_port()
    with reserved_port(wanted):
        pass
    with reserved_port(wanted) as port:
        assert port == wanted


def test_when_every_port_is_taken_the_error_names_them() -> None:
    with (
        reserved_port(65535),
        pytest.raises(NoFreePort, match="ports 65535 to 65535"),
        reserved_port(65535),
    ):
        pass
