"""What a session of Alpine was launched with, as its folder has it: planned for real, charged for real."""

from __future__ import annotations

from pathlib import Path

from curc_llm.launch.request import SessionRequest, make_slurm_spec
from curc_llm.plan.request import PlanRequest
from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.settings import load_settings
from curc_llm.spec import LaunchSpec
from tests.plan.shipped import facts_of


def write_launch(state_dir: Path, session_id: str = "local-1") -> LaunchSpec:
    """Writes the spec of two hours of one L40.

    Args:
        state_dir: the owner's state folder.
        session_id: the session's name.
    """
    asked = PlanRequest(model="qwen3-4b", gpu_type="l40", num_gpus=1, hours=2)
    settings = load_settings(environ={"HOME": str(state_dir)}, flags={"offline": True})
    paths = SessionPaths(state_dir / "sessions" / session_id)
    spec = make_slurm_spec(
        SessionRequest(plan=asked),
        settings,
        facts=facts_of("alpine"),
        session_id=session_id,
        session_dir=paths.root,
    )
    paths.root.mkdir(parents=True, mode=0o700, exist_ok=True)
    write_private(paths.spec, spec.model_dump_json())
    return spec
