"""Where results go that were given no file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from curc_llm.batch.shelf import make_default_path
from curc_llm.batch.trouble import BatchFileError
from curc_llm.client.secret import Secret
from curc_llm.client.source import LocalSource, RemoteSource
from curc_llm.session.paths import SessionPaths


def test_a_session_known_by_its_address_uses_the_person_s_own_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_STATE_DIR", str(tmp_path / "state"))
    path = make_default_path(RemoteSource("http://h/v1", Secret("k")), "abc")
    assert path == tmp_path / "state" / "batches" / "abc.jsonl"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "batches").write_text("a file in the way")
    with pytest.raises(BatchFileError, match="can't be written") as error:
        make_default_path(LocalSource(SessionPaths(tmp_path / "sessions" / "s")), "abc")
    assert "output=" in error.value.remedy
