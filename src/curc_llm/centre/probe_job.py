"""The small job that looks at a compute node for doctor."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from curc_llm.centre.check_limits import make_largest
from curc_llm.centre.node_probe import GREETING, MARKER, RESULT
from curc_llm.errors import SlurmError
from curc_llm.sites.lookup import find_gpu, list_gpus
from curc_llm.sites.site import Site
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.poll import SlurmPoll
from curc_llm.slurm.request import JobRequest

PROBE_TIME_S = 600
POLL_S = 1.0
CONNECT_S = 5.0


def make_probe_request(
    site: Site, *, gpu: str = "", qos: str = "", account: str = "", reservation: str = ""
) -> JobRequest:
    """The cheapest job with one GPU that the site allows, a few minutes long.

    Args:
        site: where.
        gpu: GPU type; empty: the cheapest.
        qos: empty: the first that the type takes.
        account: empty: the caller's own default.
        reservation: empty for none.
    """
    free = [g for g in list_gpus(site) if not g.gpu_type.on_request and g.gpu_type.qos]
    chosen = (
        find_gpu(site, gpu) if gpu else min(free or list_gpus(site), key=lambda g: g.gpu_type.su_per_gpu_h)
    )
    qos = qos or next(iter(chosen.gpu_type.qos), "")
    largest = make_largest(chosen, site, qos, account) if qos in site.qos else None
    request = largest or JobRequest(job_name="x", partition=chosen.partition_name, time_s=PROBE_TIME_S)
    shortest_s = int(site.qos[qos].min_time_h * 3600) if qos in site.qos else 0
    return replace(
        request, job_name="curc-llm-doctor", cpus_per_task=1, memory_gib=None, warn_before_end_s=0,
        time_s=max(PROBE_TIME_S, shortest_s), reservation=reservation,
    )  # fmt: skip


def render_probe(command: Sequence[str], modules: Sequence[str], folder: Path, site: str) -> str:
    """The batch script of the probe.

    Args:
        command: what runs Python on a node.
        modules: loaded before.
        folder: where it writes, on a file system that both sides see.
        site: name or file, as jobs have it.
    """
    lines = ["#!/bin/bash", "umask 077"]
    if modules:
        lines += [
            "command -v module >/dev/null || . /etc/profile >/dev/null 2>&1",
            f"module load {shlex.join(modules)}",
        ]
    told = shlex.join([*command, "-P", "-m", "curc_llm.centre.node_probe", str(folder), site])
    return "\n".join([*lines, f"exec {told}"]) + "\n"


class Probe:
    """One look at a compute node: submits, waits, reaches it, tidies up.

    Args:
        slurm: where.
        state_dir: below it a folder is made for the job's answer.
        say: what is told while it waits.
    """

    def __init__(self, slurm: Slurm, state_dir: Path, say: Callable[[str], None] = print) -> None:
        self._slurm = slurm
        self._state_dir = state_dir
        self._say = say

    def run(
        self, request: JobRequest, command: Sequence[str], modules: Sequence[str], site: str, wait_s: float
    ) -> dict[str, Any]:
        """What the node told, with `reached` and `clock_s`; with `error` when it told nothing.

        Raises:
            SlurmError: the job is refused.
            OSError: the folder can't be written.
        """
        make_state_dir(self._state_dir)
        folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=self._state_dir))
        try:
            (folder / MARKER).touch()
            request = replace(request, output=folder / "log")
            job_id = self._slurm.submit(request, render_probe(command, modules, folder, site), folder=folder)
            self._say(f"Job {job_id} looks at a compute node ({request.partition}, {request.qos}) ...")
            try:
                return self._watch(job_id, folder, wait_s)
            finally:
                self._slurm.cancel(job_id)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _watch(self, job_id: str, folder: Path, wait_s: float) -> dict[str, Any]:
        poll, until = SlurmPoll(self._slurm), time.monotonic() + wait_s
        while time.monotonic() < until:
            if (folder / RESULT).is_file():
                return self._reach(json.loads((folder / RESULT).read_text(encoding="utf-8")))
            job = poll.jobs([job_id])[job_id]
            if job.state.is_over and not (folder / RESULT).is_file():
                return {"error": f"the job ended ({job.state.value}): {_read_end(folder / 'log')}"}
            time.sleep(POLL_S)
        return {"error": f"the job didn't start or didn't answer within {wait_s:.0f} s"}

    def _reach(self, found: dict[str, Any]) -> dict[str, Any]:
        """Connects to the node, by its short and its full name."""
        found["clock_s"] = time.time() - found["time"]
        found["reached"] = next(
            (name for name in dict.fromkeys((found["short"], found["fqdn"])) if _greets(name, found["port"])),
            "",
        )
        return found


def make_state_dir(path: Path) -> None:
    """Makes the folder of sessions where it is missing; only in the caller's home what is above it, too.

    What is above it is elsewhere the centre's to make, such as a person's `/projects/ralphie`.

    Raises:
        OSError: it can't be made, or can't be written.
    """
    path.mkdir(mode=0o700, parents=path.is_relative_to(Path.home()), exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _greets(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_S) as connection:
            return connection.recv(len(GREETING)) == GREETING
    except OSError:
        return False


def _read_end(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return (lines or ["its log is empty"])[-1][:300]


def ask_probe(
    probe: Probe,
    request: JobRequest,
    command: Sequence[str],
    modules: Sequence[str],
    site: str,
    wait_s: float,
) -> dict[str, Any]:
    """As `Probe.run`, but a refusal, or a folder that fills up meanwhile, is an `error` of the answer too."""
    try:
        return probe.run(request, command, modules, site, wait_s)
    except SlurmError as error:
        return {"error": f"{error.message} {error.remedy}".strip()}
    except OSError as error:
        return {"error": f"{error.filename or 'state_dir'} can't be used here: {error.strerror}"}
