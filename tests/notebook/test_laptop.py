"""A notebook on a laptop: a real ssh tunnel that is cut and comes back, and the notebook goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curc_llm.client.tunnel import TunnelEnd, parse_login
from curc_llm.client.tunnel_target import FixedTarget
from curc_llm.client.tunnel_watch import TunnelOpen, TunnelPlan, keep_open
from curc_llm.errors import ApiError
from curc_llm.notebook import connect as module
from curc_llm.notebook.connect import connect
from curc_llm.notebook.session_panel import SessionPanel
from curc_llm.notebook.watch import stop_watches
from tests.fakes.fake_session import FakeSession
from tests.fakes.sshd import SSHD, Sshd

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(SSHD).exists(), reason="needs Debian's openssh-server"),
]


def wait_until(is_so: Callable[[], object], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.05)


@contextlib.contextmanager
def kept_open(sshd: Sshd, port: int) -> Iterator[int]:
    """What `curc-llm tunnel` does, until the block ends; its local port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        local_port = int(server.getsockname()[1])
    plan = TunnelPlan(
        FixedTarget(TunnelEnd("localhost", port)),
        parse_login(sshd.login),
        local_port,
        lambda _: None,
        ssh_config=sshd.config,
        may_ask=False,
        ask_every_s=0.2,
        waits_s=(0.3,),
    )
    is_open, is_over = threading.Event(), threading.Event()

    def keep() -> None:
        with contextlib.closing(keep_open(plan)) as events:
            for event in events:
                if isinstance(event, TunnelOpen):
                    is_open.set()
                if is_over.is_set():
                    return

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    assert is_open.wait(20)
    yield local_port
    is_over.set()
    sshd.kill()  # the next event is that it is lost
    thread.join(20)
    assert not thread.is_alive()


def test_a_tunnel_is_cut_and_restored_and_the_same_session_goes_on(
    fake: FakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels: list[SessionPanel] = []
    monkeypatch.setattr("IPython.display.display", panels.append)
    monkeypatch.setattr(module, "_CHOSEN", {})
    key = tmp_path / "key"
    key.write_text(fake.key)
    key.chmod(0o600)
    assert fake.record.port is not None
    with Sshd(tmp_path / "ssh") as sshd, kept_open(sshd, fake.record.port) as port:
        url = f"http://127.0.0.1:{port}/v1"
        session = connect(base_url=url, api_key_file=key, state_dir=tmp_path / "laptop")
        assert "one" in session.chat("one")
        card = panels[0]
        assert card.state["card"]["headline"] == "Ready"
        sshd.kill()
        with pytest.raises(ApiError):
            session.chat("two")
        wait_until(lambda: card.state["card"]["headline"] == "The session doesn't answer")
        assert "tunnel" in card.state["card"]["remedy"]
        sshd.start()
        wait_until(lambda: card.state["card"]["headline"] == "Ready", 40)
        assert "three" in session.chat("three")
        session.close()
        card.close()
        stop_watches()
