"""A session's spec meets the node that Slurm gave it: what was planned, and what is really there."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from curc_llm.errors import LaunchError, ModelDoesNotFitError
from curc_llm.launch.local import detect_device
from curc_llm.session.record import Trouble
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec, LaunchSpec, Origin, is_demo

HAS_VLLM = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
CHECK_S = 60.0


@dataclass(frozen=True)
class Allocation:
    """What a session does with what it got.

    Args:
        spec: with engines as they can run here.
        notes: what differs from what was planned, in sentences.
    """

    spec: LaunchSpec
    notes: tuple[str, ...] = ()


class AllocationError(LaunchError):
    """What the job got can't run the session.

    Args:
        trouble: the same with a code.
    """

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message, trouble.remedy)
        self.code = trouble.code


def settle(spec: LaunchSpec) -> LaunchSpec:
    """The spec with what only the node knows: its name, its Python, whether it has a GPU. Quick, never fails.

    Only the bundled model goes without the GPU that it was planned for; every other one needs it.
    """
    if spec.slurm is None:
        return spec
    are_toys = all(is_demo(origin.wanted) for origin in spec.origins)
    update = {
        "advertise_host": spec.advertise_host or socket.gethostname(),
        "engine_python": spec.engine_python or sys.executable,
        "device": "cpu" if are_toys and detect_device() == "cpu" else spec.device,
        # The bundled model is part of the package, which may be elsewhere on the node.
        "engines": tuple(map(_find_here, spec.engines, spec.origins)),
    }
    return spec.model_copy(update=update)


def _find_here(engine: EngineSpec, origin: Origin) -> EngineSpec:
    return engine.model_copy(update={"model": str(DEMO_MODEL_DIR)}) if is_demo(origin.wanted) else engine


def fit_allocation(spec: LaunchSpec, environ: Mapping[str, str] | None = None) -> Allocation:
    """Plans a settled spec again, for the GPUs that the job really got. Takes a second or two.

    Args:
        spec: from `settle`.
        environ: the job's environment; os.environ when not given.

    Raises:
        AllocationError: the node lacks what the session needs; the message says what.
    """
    if spec.slurm is None:
        return Allocation(spec)
    _check_runtime(spec.engine_python)
    if spec.device == "cpu":
        note = "This session runs without a GPU, so it answers slowly." if spec.slurm.gres else ""
        return Allocation(spec, (note,) if note else ())
    if detect_device() == "cpu":
        raise AllocationError(_no_driver(spec))
    environ = os.environ if environ is None else environ
    # Of several nodes the other ones' GPUs can't be seen from here.
    fitted = Allocation(spec) if spec.slurm.nodes > 1 else _fit_gpus(spec, environ)
    from curc_llm.launch.centre_copy import use_centre_copies

    return Allocation(use_centre_copies(fitted.spec, environ), fitted.notes)


def _check_runtime(python: str) -> None:
    """Raises when a Python has no vLLM."""
    if python == sys.executable:
        found = importlib.util.find_spec("vllm") is not None
    else:
        try:
            done = subprocess.run([python, "-c", HAS_VLLM], check=False, capture_output=True, timeout=CHECK_S)
            found = done.returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            found = False
    if not found:
        raise AllocationError(
            Trouble(
                code="no_runtime",
                message=f"{python} has no vLLM on {socket.gethostname()}.",
                remedy="Tell your centre's staff, or set engine_python to a runtime of your own.",
            )
        )


def _no_driver(spec: LaunchSpec) -> Trouble:
    given = (spec.slurm.gres if spec.slurm is not None else "").removeprefix("gpu:") or "a GPU"
    return Trouble(
        code="no_gpu",
        message=f"{socket.gethostname()} has no working NVIDIA driver, though Slurm gave the job {given}.",
        remedy=f"Launch it again (curc-llm repeat {spec.session_id}); if it happens twice, tell your centre "
        "which node it was.",
    )


def _fit_gpus(spec: LaunchSpec, environ: Mapping[str, str]) -> Allocation:
    from curc_llm.sites.nvidia_smi import find_local_gpus

    gpus = find_local_gpus(environ)
    if not gpus:  # nvidia-smi is missing, though a driver is there: vLLM will tell
        return Allocation(spec)
    from curc_llm.launch.replanning import plan_all_again

    try:
        engines, notes = plan_all_again(spec.engines, spec.origins)
    except ModelDoesNotFitError as error:
        raise AllocationError(
            Trouble(code="does_not_fit", message=error.message, remedy=error.remedy)
        ) from error
    return Allocation(spec.model_copy(update={"engines": engines}), notes)
