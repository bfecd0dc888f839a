"""Tunnels through a real sshd: opened, cut, opened again, refused; and what is told each time."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from curc_llm.client.tunnel import TunnelEnd, parse_login
from curc_llm.client.tunnel_target import (
    FixedTarget,
    Pulse,
    SessionTarget,
    TunnelTarget,
    is_direct,
    take_pulse,
)
from curc_llm.client.tunnel_watch import (
    TunnelEvent,
    TunnelLost,
    TunnelMoved,
    TunnelOpen,
    TunnelOver,
    TunnelPlan,
    TunnelSilent,
    keep_open,
)
from curc_llm.errors import SessionEndedError, SessionNotReadyError, TunnelError
from tests.fakes.fake_session import FakeSession
from tests.fakes.sshd import SSHD, Sshd

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(SSHD).exists(), reason="needs Debian's openssh-server"),
]
Events = Generator[TunnelEvent, None, None]


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeSession]:
    with FakeSession(tmp_path / "state") as session:
        # A gateway in a job advertises its node's name; this node's ssh knows itself as localhost.
        yield session


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "ssh") as server:
        yield server


def fixed(fake: FakeSession) -> FixedTarget:
    assert fake.record.port is not None
    return FixedTarget(TunnelEnd("localhost", fake.record.port))


class NodeSession(SessionTarget):
    """A session of this machine that the login host reaches by name, as a node's gateway is."""

    def find_end(self) -> TunnelEnd:
        return TunnelEnd("localhost", super().find_end().port)


def make_plan(target: TunnelTarget, sshd: Sshd, words: list[str] | None = None) -> TunnelPlan:
    port = free_port()
    say = [].append if words is None else words.append
    login = parse_login(sshd.login)
    return TunnelPlan(
        target, login, port, say, ssh_config=sshd.config, may_ask=False, ask_every_s=0.2, waits_s=(0.2, 0.4)
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def opened(plan: TunnelPlan) -> Iterator[Events]:
    with contextlib.closing(keep_open(plan)) as events:
        assert isinstance(next(events), TunnelOpen)
        yield events


def refusal(plan: TunnelPlan) -> TunnelError:
    with pytest.raises(TunnelError) as caught:
        next(keep_open(plan))
    assert caught.value.remedy
    return caught.value


def ask(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return int(answer.status)


def test_the_session_answers_at_the_local_port_and_closing_ends_ssh(fake: FakeSession, sshd: Sshd) -> None:
    plan = make_plan(fixed(fake), sshd)
    with opened(plan):
        assert ask(plan.local_port) == 200
        assert sshd.connections() > 0
    assert take_pulse(plan.local_port) is Pulse.NOT_LISTENING


def test_a_login_host_that_goes_away_and_comes_back_is_connected_again(fake: FakeSession, sshd: Sshd) -> None:
    plan = make_plan(fixed(fake), sshd)
    with opened(plan) as events:
        sshd.kill()
        lost = [next(events), next(events), next(events)]
        assert all(isinstance(event, TunnelLost) for event in lost)
        assert [event.wait_s for event in lost if isinstance(event, TunnelLost)] == [0.2, 0.4, 0.4]
        sshd.start()
        last = next(event for event in events if not isinstance(event, TunnelLost))
        assert isinstance(last, TunnelOpen)
        assert last.local_port == plan.local_port
        assert ask(plan.local_port) == 200


def test_a_login_that_is_no_longer_let_in_gives_up_instead_of_knocking_for_ever(
    fake: FakeSession, sshd: Sshd
) -> None:
    with opened(make_plan(fixed(fake), sshd)) as events:
        sshd.forget_client()
        sshd.kill()
        sshd.start()
        with pytest.raises(TunnelError, match="refuses the login"):
            list(events)


def test_a_login_host_that_is_down_is_told_at_once(fake: FakeSession, sshd: Sshd) -> None:
    sshd.kill()
    assert "can't be reached" in refusal(make_plan(fixed(fake), sshd)).message


def test_another_host_key_than_the_known_one_is_refused_and_nothing_is_sent(
    fake: FakeSession, sshd: Sshd
) -> None:
    sshd.trust("other_key")
    error = refusal(make_plan(fixed(fake), sshd))
    assert "another host key" in error.message
    assert f"[127.0.0.1]:{sshd.port}" in error.remedy


def test_an_unknown_host_key_needs_somebody_to_confirm_it(fake: FakeSession, sshd: Sshd) -> None:
    sshd.trust("")
    assert "nobody confirmed" in refusal(make_plan(fixed(fake), sshd)).message


def test_a_refused_login_names_the_account(fake: FakeSession, sshd: Sshd) -> None:
    sshd.forget_client()
    words: list[str] = []
    error = refusal(make_plan(fixed(fake), sshd, words))
    assert "refuses the login as" in error.message
    assert any("Permission denied" in line for line in words)


def test_a_login_host_without_forwarding_is_told(fake: FakeSession, tmp_path: Path) -> None:
    with Sshd(tmp_path / "strict", "AllowTcpForwarding no") as strict:
        error = refusal(make_plan(fixed(fake), strict))
    assert "doesn't let connections through" in error.message
    assert "--via-node" in error.remedy


def test_a_port_where_nothing_listens_is_told_apart_from_a_broken_tunnel(sshd: Sshd) -> None:
    port = free_port()
    error = refusal(make_plan(FixedTarget(TunnelEnd("localhost", port)), sshd))
    assert f"nothing listens on its port {port}" in error.message


def test_what_is_no_session_is_not_taken_for_one(sshd: Sshd) -> None:
    error = refusal(make_plan(FixedTarget(TunnelEnd("localhost", sshd.port)), sshd))
    assert "is not a curc-llm session" in error.message


def test_a_local_port_that_was_taken_meanwhile_is_told(fake: FakeSession, sshd: Sshd) -> None:
    with FakeSession(fake.paths.root / "other") as other:
        plan = make_plan(fixed(fake), sshd)
        taken = TunnelPlan(**{**vars(plan), "local_port": other.record.port})
        assert "taken meanwhile" in refusal(taken).message


def test_a_local_port_that_is_taken_while_ssh_is_away_is_waited_for(fake: FakeSession, sshd: Sshd) -> None:
    plan = make_plan(fixed(fake), sshd)
    with opened(plan) as events:
        sshd.kill()
        assert isinstance(next(events), TunnelLost)
        sshd.start()
        with socket.create_server(("127.0.0.1", plan.local_port)):
            lost = next(events)
            assert isinstance(lost, TunnelLost)
            assert "taken meanwhile" in lost.message
        assert isinstance(next(events), TunnelOpen)


def test_an_unknown_session_that_falls_silent_is_over(fake: FakeSession, sshd: Sshd) -> None:
    with opened(make_plan(fixed(fake), sshd)) as events:
        fake.close()
        last = list(events)
    assert [type(event) for event in last] == [TunnelOver]
    assert "has ended, or moved" in last[0].message  # type: ignore[union-attr]


def test_a_session_that_ends_says_why_and_the_tunnel_closes(fake: FakeSession, sshd: Sshd) -> None:
    with opened(make_plan(NodeSession(fake.paths), sshd)) as events:
        fake.end()
        last = list(events)
    assert isinstance(last[-1], TunnelOver)
    assert "You stopped it." in last[-1].message


def test_a_session_that_is_silent_but_not_over_is_waited_for(fake: FakeSession, sshd: Sshd) -> None:
    with opened(make_plan(NodeSession(fake.paths), sshd)) as events:
        fake.hang_up()
        assert isinstance(next(events), TunnelSilent)
        fake.end()
        assert isinstance(list(events)[-1], TunnelOver)


def test_a_session_that_slurm_starts_again_elsewhere_gets_a_new_tunnel(
    fake: FakeSession, sshd: Sshd, tmp_path: Path
) -> None:
    plan = make_plan(NodeSession(fake.paths), sshd)
    with opened(plan) as events, FakeSession(tmp_path / "second") as second:
        fake.change(base_url=None, port=None)  # queued again
        threading.Timer(0.5, fake.change, kwargs={"base_url": second.url, "port": second.record.port}).start()
        assert next(events) == TunnelMoved(TunnelEnd("localhost", second.record.port or 0))
        again = next(events)
        assert isinstance(again, TunnelOpen)
        assert again.local_port == plan.local_port
        assert ask(plan.local_port) == 200


def test_a_session_that_has_no_port_while_ssh_is_away_is_waited_for(fake: FakeSession, sshd: Sshd) -> None:
    url, port = fake.record.base_url, fake.record.port
    with opened(make_plan(NodeSession(fake.paths), sshd)) as events:
        fake.change(base_url=None, port=None)
        sshd.kill()
        assert isinstance(next(events), TunnelLost)
        sshd.start()
        threading.Timer(0.5, fake.change, kwargs={"base_url": url, "port": port}).start()
        assert isinstance(next(events), TunnelOpen)


def test_a_session_without_a_port_or_already_over_is_refused(fake: FakeSession, sshd: Sshd) -> None:
    fake.change(base_url=None, port=None)
    with pytest.raises(SessionNotReadyError):
        next(keep_open(make_plan(SessionTarget(fake.paths), sshd)))
    fake.paths.record.unlink()
    with pytest.raises(SessionEndedError):
        SessionTarget(fake.paths).find_end()


def test_a_gateway_on_loopback_is_reached_by_a_login_on_its_own_node(fake: FakeSession, sshd: Sshd) -> None:
    end = SessionTarget(fake.paths).find_end()
    assert end.on_node
    assert not is_direct(end)
    # The jump and the node are the same sshd here; the node's name leads to it by the client's settings.
    with sshd.config.open("a") as file:
        file.write(f"\nHost {end.host}\n  HostName localhost\n  Port {sshd.port}\n")
    plan = make_plan(SessionTarget(fake.paths), sshd)
    with opened(plan):
        assert ask(plan.local_port) == 200


def test_the_arguments_of_ssh_hold_no_secret(fake: FakeSession, sshd: Sshd) -> None:
    with opened(make_plan(fixed(fake), sshd)):
        arguments = b"".join(
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _is_child(path.parent)
        )
    assert b"ExitOnForwardFailure" in arguments
    assert fake.key.encode() not in arguments


def _is_child(process: Path) -> bool:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except OSError:
        return False


def test_a_machine_without_ssh_is_told_what_to_install(
    fake: FakeSession, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    error = refusal(make_plan(fixed(fake), sshd))
    assert "Install OpenSSH" in error.remedy
