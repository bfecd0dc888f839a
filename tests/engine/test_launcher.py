"""The launcher, run by a Python whose `vllm` is a small package that tells what it sees."""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curc_llm.engine.arguments import LAUNCHER
from curc_llm.engine.launcher import Withhold, import_without_gc, leave_base_alone

MEASURED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
SERVER = """
import json, multiprocessing, sys

if __name__ == "__main__":
    from vllm.v1.child import tell_child
    print(json.dumps({"argv": sys.argv[1:]}), flush=True)
    child = multiprocessing.get_context("spawn").Process(target=tell_child)
    child.start()
    child.join()
    raise SystemExit(child.exitcode)
"""
CHILD = """
import gc, importlib.util, json, sys
from vllm.v1.engine import core

def tell_child():
    try:
        import ray
        has_ray = True
    except ImportError:
        has_ray = False
    server = "vllm.entrypoints.openai.api_server" in sys.modules
    found = importlib.util.find_spec("ray") is not None
    facts = {"ray": has_ray, "found": found, "server": server}
    print(json.dumps({**facts, "gc_then": core.WITH_GC, "gc_now": gc.isenabled()}))
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with a `vllm` and a `ray`."""
    files = {
        "ray/__init__.py": "",
        "vllm/entrypoints/openai/api_server.py": SERVER,
        "vllm/v1/child.py": CHILD,
        "vllm/v1/engine/core.py": "import gc\nWITH_GC = gc.isenabled()\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for folder in path.relative_to(tmp_path).parents[:-1]:
            (tmp_path / folder / "__init__.py").touch()
    return tmp_path


def launch(packages: Path, *arguments: str, **environ: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), *arguments],
        env={
            "PYTHONPATH": str(packages),
            "PYTHONSAFEPATH": "1",
            "PATH": "/usr/bin:/bin",
            **MEASURED,
            **environ,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "RuntimeWarning" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_vllms_server_gets_the_arguments(packages: Path) -> None:
    assert launch(packages, "--model", "/m")[0] == {"argv": ["--model", "/m"]}


def test_the_engine_core_does_without_ray_and_without_the_server(packages: Path) -> None:
    core = launch(packages)[1]
    assert core == {"ray": False, "found": True, "server": False, "gc_then": False, "gc_now": True}


def test_an_engine_that_uses_ray_has_it(packages: Path) -> None:
    assert launch(packages, CURC_ENGINE_USES_RAY="1")[1]["ray"] is True


def test_only_the_withheld_name_is_withheld() -> None:
    withhold = Withhold("ray")
    spec = withhold.find_spec("ray")
    assert spec is not None
    with pytest.raises(ModuleNotFoundError, match="doesn't use ray"):
        withhold.create_module(spec)
    assert withhold.find_spec("raylib") is None
    assert not any(isinstance(finder, Withhold) for finder in sys.meta_path)


def test_the_garbage_collector_works_again_after_an_import_and_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "looked_at_gc.py").write_text("import gc\nWITH_GC = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_without_gc("looked_at_gc")
    assert sys.modules.pop("looked_at_gc").WITH_GC is False
    import_without_gc("no_such_module_at_all")
    assert gc.isenabled()


def test_a_python_without_vllm_fails_as_vllm_would(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(LAUNCHER)], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "No module named 'vllm'" in done.stderr


@pytest.mark.slow
def test_a_token_without_adapter_is_left_alone_in_a_batch_with_one_that_has_it() -> None:
    torch = importlib.import_module("torch")
    ops = importlib.import_module("vllm.lora.ops.torch_ops.lora_ops")
    inputs, weights = torch.ones(3, 4), torch.ones(2, 1, 8, 4)
    indices = torch.tensor([0, -1, 1])
    for name in ("bgmv_expand", "bgmv_shrink"):
        plain, mended = torch.zeros(3, 8), torch.zeros(3, 8)
        getattr(ops, name)(inputs, weights, plain, indices)
        leave_base_alone(getattr(ops, name))(inputs, weights, mended, indices)
        assert mended[1].tolist() == [0.0] * 8
        assert mended[[0, 2]].tolist() == plain[[0, 2]].tolist() == [[4.0] * 8] * 2
