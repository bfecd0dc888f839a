"""What a node tells of itself: models that it can read, room, versions, what it doesn't see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from curc_llm.engine.node_facts import (
    NodeFacts,
    PreflightRequest,
    look_at_model,
    read_node_facts,
)
from curc_llm.spec import DEMO_MODEL_DIR
from curc_llm.spec.model_folder import fingerprint_folder


def test_a_node_tells_all_that_it_was_asked(tmp_path: Path) -> None:
    request = PreflightRequest(
        engine_python=sys.executable,
        models=(str(DEMO_MODEL_DIR), str(tmp_path / "none")),
        folders=(str(tmp_path / "not" / "yet"),),
        shared=(str(tmp_path / "marker"), str(tmp_path)),
    )
    facts = read_node_facts(request, {"SLURMD_NODENAME": "n7", **os.environ})
    assert facts.node == "n7"
    assert facts.versions["engine python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts.vllm_path.endswith("/vllm")
    assert facts.models[0].fingerprint == fingerprint_folder(DEMO_MODEL_DIR)
    assert facts.models[1].error == "No such file or directory"
    assert facts.folders[0].free_gib > 0
    assert facts.unseen == (str(tmp_path / "marker"),)
    assert facts.memory_gib > 0
    assert NodeFacts.model_validate_json(facts.model_dump_json()) == facts


@pytest.mark.slow
def test_a_node_looks_at_its_own_folder_for_temporary_files(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from curc_llm.engine.node_facts import *\n"
        "print(*(f.path for f in read_node_facts(PreflightRequest(folders=('/',)), os.environ).folders))"
    )
    for named, found in ((str(tmp_path), str(tmp_path)), (str(tmp_path / "another-node-s"), "/tmp")):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "TMPDIR": named}, capture_output=True, text=True
        )
        assert done.stdout.split() == ["/", found]


def test_a_weight_file_that_cannot_be_read_is_found(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    assert look_at_model(tmp_path).error == "No such file or directory"


def test_a_python_that_isnt_there_has_no_versions() -> None:
    facts = read_node_facts(PreflightRequest(engine_python="/no/python"), {})
    assert set(facts.versions) == {"curc-llm"}


def test_what_a_newer_node_tells_besides_is_passed_over() -> None:
    assert NodeFacts.model_validate({"node": "n1", "colour": "blue"}).node == "n1"
