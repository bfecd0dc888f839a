"""From a laptop: a real sshd, a tunnel that is cut and opened again, and the same `session` all the while."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from curc_llm.client import Session, connect
from curc_llm.client.tunnel import TunnelEnd, parse_login
from curc_llm.client.tunnel_target import FixedTarget
from curc_llm.client.tunnel_watch import TunnelOpen, TunnelPlan, keep_open
from curc_llm.errors import ApiError
from tests.fakes.fake_session import FakeSession
from tests.fakes.sshd import SSHD, Sshd

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(SSHD).exists(), reason="needs Debian's openssh-server"),
]
TIMEOUT_S = 20


class Tunnel:
    """A tunnel that is kept open in a thread, as `curc-llm tunnel` does in its window."""

    def __init__(self, port: int, sshd: Sshd) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = int(server.getsockname()[1])
        self.opened = threading.Semaphore(0)
        self._sshd = sshd
        self._stop = threading.Event()
        self._plan = TunnelPlan(
            FixedTarget(TunnelEnd("localhost", port)), parse_login(sshd.login), self.port, [].append,
            ssh_config=sshd.config, may_ask=False, ask_every_s=0.2, waits_s=(0.2, 0.4),
        )  # fmt: skip
        self._thread = threading.Thread(target=self._keep)

    def _keep(self) -> None:
        with contextlib.closing(keep_open(self._plan)) as events:
            for event in events:
                if isinstance(event, TunnelOpen):
                    self.opened.release()
                if self._stop.is_set():
                    return

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.opened.acquire(timeout=TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sshd.kill()  # the next thing that happens to it
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "ssh") as server:
        yield server


def ask_until_answered(session: Session) -> str:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return session.chat("Are you there?")
        except ApiError:
            assert time.monotonic() < deadline


def test_a_session_goes_on_where_it_was_after_its_tunnel_was_cut(
    fake: FakeSession, sshd: Sshd, tmp_path: Path
) -> None:
    assert fake.record.port is not None
    key = tmp_path / "key.txt"  # what one copies to the laptop
    key.write_text(fake.key)
    key.chmod(0o600)
    with Tunnel(fake.record.port, sshd) as tunnel:
        session = connect(f"http://127.0.0.1:{tunnel.port}", api_key_file=key, state_dir=tmp_path / "none")
        assert session.chat("Hi") == "You said: Hi"
        stream = session.stream("[slow]")
        assert next(iter(stream)) == "You"
        sshd.kill()
        with pytest.raises(ApiError, match=r"broke off|Nothing answers"):
            list(stream)
        assert stream.answer.startswith("You said:")
        with pytest.raises(ApiError, match="tunnel open"):
            session.chat("Hi")
        sshd.start()
        assert tunnel.opened.acquire(timeout=TIMEOUT_S)
        assert ask_until_answered(session) == "You said: Are you there?"
        session.close()
    assert fake.aborted.wait(5)  # the model doesn't write on for nobody
