"""The ssh command of a tunnel: names are checked, nothing becomes an option, and no secret is in it."""

from __future__ import annotations

import socket

import pytest

from curc_llm.client.tunnel import Login, TunnelEnd, check_host, choose_local_port, make_command, parse_login
from curc_llm.errors import TunnelError

END = TunnelEnd("c3gpu-a2-u1", 8000)


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("login.rc.colorado.edu", Login("login.rc.colorado.edu")),
        ("ralphie@login", Login("login", "ralphie")),
        ("eve@colostate.edu@login.rc.colorado.edu", Login("login.rc.colorado.edu", "eve@colostate.edu")),
        (" me@127.0.0.1:2222 ", Login("127.0.0.1", "me", 2222)),
    ],
)
def test_a_login_host_is_read_as_people_write_it(text: str, login: Login) -> None:
    assert parse_login(text) == login
    assert parse_login(str(login)) == Login(login.host, login.user)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "me@",
        "-oProxyCommand=x",
        "me@-oProxyCommand=x",
        "-l@host",
        "a b@c",
        "h:0",
        "h:99999",
        "h:",
        "h:x",
        "h;id",
        "ü@h",
    ],
)
def test_what_is_no_login_host_is_refused(text: str) -> None:
    with pytest.raises(TunnelError, match="not a login host"):
        parse_login(text)


@pytest.mark.parametrize("host", ["", "-v", "a b", "c1:22", "$(id)", "a" * 300, "c1\n"])
def test_what_is_no_node_is_refused(host: str) -> None:
    with pytest.raises(TunnelError, match="not the name of a node"):
        check_host(host)


def test_the_command_leads_through_the_login_host_and_keeps_to_itself() -> None:
    command = make_command(parse_login("eve@colostate.edu@login:2222"), END, 9000)
    text = " ".join(command)
    assert "-L 127.0.0.1:9000:c3gpu-a2-u1:8000 -p 2222 -l eve@colostate.edu -- login" in text
    assert "ExitOnForwardFailure=yes" in text
    assert "ControlPath=none" in text
    assert "BatchMode" not in text


def test_without_anybody_to_ask_ssh_must_not_wait_for_an_answer() -> None:
    assert "BatchMode=yes" in make_command(Login("login"), END, 9000, may_ask=False)


def test_a_gateway_on_loopback_is_reached_by_a_login_on_its_node() -> None:
    command = make_command(Login("login", "me", 2222), TunnelEnd("c1", 8000, on_node=True), 9000)
    text = " ".join(command)
    assert "-J me@login:2222 -L 127.0.0.1:9000:127.0.0.1:8000 -l me -- c1" in text


def test_a_taken_port_is_refused_with_a_free_one_and_avoided_when_nobody_asked_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(TunnelError) as caught:
            choose_local_port(taken, 1)
        assert "--local-port" in caught.value.remedy
        assert choose_local_port(None, taken) != taken
    assert choose_local_port(taken, 1) == taken
    assert choose_local_port(None, taken) == taken
