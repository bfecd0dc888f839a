from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from curc_llm.chat.environment import prepare_environment
from curc_llm.chat.options import parse_options

NEEDED = ["--socket", "/r/chat.sock", "--gateway-socket", "/r/gateway.sock", "--state-dir", "/s"]


def test_the_supervisors_command_line_is_understood() -> None:
    options = parse_options([*NEEDED, "--examples", "/q.yml", "--title", "T"])
    assert options.socket == Path("/r/chat.sock")
    assert options.examples == Path("/q.yml")
    assert options.title == "T"
    assert parse_options(NEEDED).examples is None


def test_a_missing_socket_is_an_error_with_a_usage_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(NEEDED[2:])
    assert "--socket" in capsys.readouterr().err


def test_gradios_folder_is_private_and_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/elsewhere")
    before = os.umask(0o022)
    try:
        with prepare_environment(tmp_path) as folder:
            assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
            assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            (folder / "left").write_text("x", encoding="utf-8")
        assert not folder.exists()
    finally:
        os.umask(before)
