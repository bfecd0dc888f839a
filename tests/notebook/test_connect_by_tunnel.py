"""`connect()` in a notebook on a laptop, where `curc-llm tunnel` runs in another window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curc_llm.client.tunnel import TunnelEnd
from curc_llm.client.tunnel_note import NoteKeeper, keep_key
from curc_llm.client.tunnel_watch import TunnelOpen
from curc_llm.errors import ApiError
from curc_llm.notebook import connect as module
from curc_llm.notebook.connect import connect
from curc_llm.notebook.session_panel import SessionPanel
from curc_llm.notebook.watch import stop_watches
from tests.fakes.fake_session import FakeSession

END = TunnelEnd("c1", 8000)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    panels: list[Any] = []
    monkeypatch.setattr("IPython.display.display", panels.append)
    monkeypatch.setattr(module, "_CHOSEN", {})
    return panels


def test_connect_alone_shows_the_card_of_the_session_at_its_end(
    fake: FakeSession, tmp_path: Path, shown: list[SessionPanel]
) -> None:
    laptop = tmp_path / "laptop"
    assert fake.record.port is not None
    NoteKeeper(laptop, keep_key(laptop, END, fake.key)).take(TunnelOpen(END, fake.record.port))
    session = connect(state_dir=laptop)
    assert "Hello" in session.chat("Hello")
    assert len(shown) == 1
    again = connect(state_dir=laptop)
    assert "Hello" in again.chat("Hello")
    for panel in shown:
        panel.close()
    stop_watches()


@pytest.mark.slow
def test_a_tunnel_whose_session_is_gone_says_so_at_once(
    state_dir: Path, tmp_path: Path, shown: list[SessionPanel]
) -> None:
    laptop = tmp_path / "laptop"
    NoteKeeper(laptop, keep_key(laptop, END, "sk-12345678")).take(TunnelOpen(END, 9))
    with pytest.raises(ApiError, match="the tunnel open"):
        connect(state_dir=laptop)
    assert not shown
