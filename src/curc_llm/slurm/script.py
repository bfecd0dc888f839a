"""Script: a JobRequest becomes the text that sbatch is given, and its command line. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from curc_llm.errors import SpecError
from curc_llm.slurm.request import JobRequest

_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+-]*")


def render_script(request: JobRequest, spec_path: Path, *, python: str, modules: tuple[str, ...] = ()) -> str:
    """The batch script: what is asked of Slurm, then the job takes over.

    What a person wrote is in the spec, never here; of paths only quoted ones. `-P` keeps modules of the
    folder that the job starts in from being taken for Python's own.

    Args:
        request: what Slurm is asked for.
        spec_path: the session's spec.json.
        python: the Python that has curc-llm.
        modules: environment modules to load before.

    Raises:
        SpecError: a path isn't a full one, or a module's name isn't one.

    Example:
        >>> print(render_script(request, Path("/p/spec.json"), python="/env/bin/python").splitlines()[-1])
        exec /env/bin/python -P -m curc_llm.job /p/spec.json
    """
    if not Path(python).is_absolute() or not spec_path.is_absolute():
        raise SpecError(f"{python} and {spec_path} must be full paths: a job starts in another folder.")
    command = shlex.join([python, "-P", "-m", "curc_llm.job", str(spec_path)])
    lines = ["#!/bin/bash", *(f"#SBATCH {option}" for option in render_options(request)), "umask 077"]
    lines += render_modules(modules)
    lines += ['ulimit -n "$(ulimit -Hn)" 2>/dev/null', f"exec {command}"]
    return "\n".join(lines) + "\n"


def render_options(request: JobRequest) -> tuple[str, ...]:
    """Slurm's options without paths: of checked words and numbers alone, so they need no quoting.

    Example:
        >>> render_options(JobRequest(job_name="chat", partition="al40", time_s=5400))[:3]
        ('--job-name=chat', '--partition=al40', '--nodes=1')
    """
    return tuple(f"--{name}={value}" if value != "" else f"--{name}" for name, value in _options(request))


def render_arguments(request: JobRequest, folder: Path | None = None) -> tuple[str, ...]:
    """The command line of sbatch: all options again, since these outrank SBATCH_ variables, and the paths.

    Args:
        request: what Slurm is asked for.
        folder: where the job starts.
    """
    paths: list[str] = []
    if request.output is not None:
        # %% is a plain per cent sign; anything else behind one would be replaced (sbatch, filename pattern).
        paths = [f"--output={str(request.output).replace('%', '%%')}", "--open-mode=append"]
    if folder is not None:
        paths.append(f"--chdir={folder}")
    return (*render_options(request), *paths)


def render_time(seconds: int) -> str:
    """A wall time as Slurm writes it.

    Example:
        >>> render_time(90), render_time(7 * 86400)
        ('0-00:01:30', '7-00:00:00')
    """
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    return f"{days}-{h:02}:{m:02}:{s:02}"


def _options(request: JobRequest) -> Iterator[tuple[str, str]]:
    yield "job-name", request.job_name
    yield "partition", request.partition
    for name in ("qos", "account", "reservation", "constraint"):
        if getattr(request, name):
            yield name, getattr(request, name)
    yield "nodes", str(request.num_nodes)
    yield "ntasks", str(request.num_nodes)
    if request.num_nodes > 1:
        yield "ntasks-per-node", "1"
    yield "cpus-per-task", str(request.cpus_per_task)
    if request.gres:
        yield "gres", request.gres
    if request.memory_gib is not None:
        yield "mem", f"{request.memory_gib}G"
    yield "time", render_time(request.time_s)
    yield from _manners(request)


def _manners(request: JobRequest) -> Iterator[tuple[str, str]]:
    """How the job is to be treated, rather than what it gets."""
    if request.warn_before_end_s:
        yield "signal", f"B:USR1@{request.warn_before_end_s}"
    yield ("requeue" if request.requeue else "no-requeue"), ""


def render_modules(modules: tuple[str, ...]) -> list[str]:
    """Loads modules; without `module` the job says so instead of failing later for want of a library."""
    wrong = [name for name in modules if _MODULE.fullmatch(name) is None]
    if wrong:
        raise SpecError(f"{wrong[0]!r} isn't the name of a module.", "Mend `modules` in the site file.")
    if not modules:
        return []
    names = " ".join(modules)
    return [
        "# shellcheck disable=SC1091",
        "command -v module >/dev/null || . /etc/profile >/dev/null 2>&1",
        f"module load {names} || {{ echo 'Modules that could not be loaded here: {names}.' >&2; exit 1; }}",
    ]
