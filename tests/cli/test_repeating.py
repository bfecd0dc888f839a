"""A repeat serves the very commit that the first run downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.cli.output import Output
from curc_llm.cli.repeating import make_repeat_spec, read_old_session
from curc_llm.errors import SessionNotFoundError
from curc_llm.session.record import EngineRecord
from curc_llm.settings import Settings, load_settings
from curc_llm.spec import LaunchSpec, make_launch_spec
from tests.cli.conftest import REPOSITORY
from tests.fakes.fake_session import FakeSession

ENGINE_PYTHON = str(REPOSITORY / "tests/fakes/fake_engine_python.py")


@pytest.fixture
def settings(state_dir: Path, tmp_path: Path) -> Settings:
    return load_settings(
        environ={
            "HOME": str(tmp_path),
            "CURC_LLM_STATE_DIR": str(state_dir),
            "CURC_LLM_ENGINE_PYTHON": ENGINE_PYTHON,
            "CURC_LLM_DEVICE": "cpu",
        }
    )


def write_spec(settings: Settings, fake: FakeSession) -> LaunchSpec:
    """The spec of the fake session, as if it had served a model from the hub."""
    spec = make_launch_spec(settings, ("org/model",), device="cpu", engine_python=ENGINE_PYTHON)
    fake.paths.spec.write_text(spec.model_dump_json())
    return spec


def test_the_downloaded_commit_is_served_though_only_a_branch_was_asked_for(
    settings: Settings, fake: FakeSession
) -> None:
    old = write_spec(settings, fake)
    fake.change(engines=(EngineRecord(served_model_name="org/model", model="org/model", revision="abc123"),))
    new = make_repeat_spec(settings, fake.paths.root.name, Output(as_json=False))
    assert (old.engines[0].revision, new.engines[0].revision) == (None, "abc123")
    assert new.engines[0].model_copy(update={"revision": None}) == old.engines[0]


def test_a_session_is_found_by_its_folder_its_spec_or_its_id(settings: Settings, fake: FakeSession) -> None:
    spec = write_spec(settings, fake)
    for name in (str(fake.paths.root), str(fake.paths.spec), fake.paths.root.name):
        assert read_old_session(settings, name)[0] == spec
    with pytest.raises(SessionNotFoundError):
        read_old_session(settings, "local-gone")


def test_another_device_is_told(
    settings: Settings, fake: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = write_spec(settings, fake)
    fake.paths.spec.write_text(spec.model_copy(update={"device": "cuda"}).model_dump_json())
    make_repeat_spec(settings, fake.paths.root.name, Output(as_json=False))
    assert "it ran on cuda and now runs on cpu" in capsys.readouterr().err
