from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from curc_llm.session.key_source import KeySource

NAMES = ["api.key", "a b'c\"d $(touch owned)"]


@pytest.mark.parametrize("name", NAMES)
def test_a_key_in_a_file_is_read_wherever_it_lies(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("curc-secret\n")
    source = KeySource(str(path))
    done = subprocess.run(["sh", "-c", source.to_shell()], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "Authorization: Bearer curc-secret\n"
    assert eval(source.to_python(), {"Path": Path}) == "curc-secret"
    assert source.python_import == "from pathlib import Path"
    assert not (tmp_path / "owned").exists()


def test_a_key_in_the_environment_is_read_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURC_LLM_API_KEY", "curc-$(id)")
    source = KeySource()
    done = subprocess.run(["sh", "-c", source.to_shell()], capture_output=True, text=True)
    assert done.stdout == "Authorization: Bearer curc-$(id)\n"
    assert eval(source.to_python(), {"os": os}) == "curc-$(id)"
    assert source.python_import == "import os"
