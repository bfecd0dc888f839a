"""An engine over several nodes as a step of the job: started on all of them, ended on all of them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from curc_llm.engine.environment import is_secret
from curc_llm.engine.log import EngineLog
from curc_llm.engine.machine import choose_cpu_kv_cache_gib, read_engine_version, run_question
from curc_llm.engine.network import find_node_network, make_network_arguments
from curc_llm.engine.process import EngineProcess
from curc_llm.engine.topology import Meeting, choose_kind, make_ranks
from curc_llm.job.node_watch import NodeWatch
from curc_llm.job.rank_plan import RankPlan, write_rank_plan
from curc_llm.job.sweep import SWEPT
from curc_llm.plan.flags import render_flags
from curc_llm.session.files import write_private
from curc_llm.session.paths import SessionPaths
from curc_llm.slurm.gres import parse_gres
from curc_llm.slurm.step import render_step
from curc_llm.spec import DEMO_MODEL_DIR, EngineSpec, LaunchSpec

# More than a rank gives vLLM to finish (RankPlan.patience_s), so that every node can say how it ended.
STOP_GRACE_S = 15.0
SWEEP_S = 20.0
PROGRAM = (sys.executable, "-P", "-m")


class EngineStep:
    """Starts and clears up one engine that has all nodes of the job.

    Args:
        index: the engine's place in the spec.
        spec: the session's spec; its job has several nodes.
        paths: the session's files, which all nodes see.
        runtime_dir: the folder for sockets on this node, the first one.
    """

    def __init__(self, index: int, spec: LaunchSpec, paths: SessionPaths, runtime_dir: Path) -> None:
        assert spec.slurm is not None  # noqa: S101 - the caller looked
        self._slurm = spec.slurm
        self._spec = spec
        self._engine: EngineSpec = spec.engines[index]
        self._runtime_dir = runtime_dir
        self._name = f"engine-{index}"
        self._plan_path = paths.root / f"ranks-{index}.json"
        self._ray_token = paths.root / f"ray-{index}.token"
        self._is_clear = True
        self._nodes: NodeWatch | None = None
        self.run_id = f"{spec.session_id}.{index}"

    async def start(
        self,
        arguments: Sequence[str],
        *,
        guard_prefix: Sequence[str],
        log: EngineLog,
        pass_fds: Sequence[int],
    ) -> EngineProcess:
        """Starts vLLM on all nodes.

        Args:
            arguments: vLLM's, as for one node.
            guard_prefix: command in front of srun.
            log: where all nodes write.
            pass_fds: descriptors that the guard inherits.

        Raises:
            EngineError: the engine can't be spread over these nodes, or one of them can't be reached.
            LaunchError: this node has no network that the others could reach.
        """
        if not self._is_clear:
            await self.clear()
        self._is_clear = False
        self._nodes = NodeWatch(await list_nodes(self._slurm.nodes))
        try:
            await self._nodes.start(self._render([*PROGRAM, "curc_llm.job.pulse"], name="pulse", gres=""))
            await self._nodes.wait_for_all()
            await asyncio.to_thread(write_rank_plan, self._plan_path, await self._make_plan(arguments))
            environment = {name: value for name, value in os.environ.items() if not is_secret(name)}
            command = self._render([*PROGRAM, "curc_llm.job.rank", str(self._plan_path)])
            return await EngineProcess.start(
                [*guard_prefix, *command], environment=environment, log=log, pass_fds=pass_fds
            )
        except BaseException:  # cancelled, too: whoever asked for it has nothing yet that could be stopped
            await self._nodes.close()
            self._ray_token.unlink(missing_ok=True)
            raise

    async def _make_plan(self, arguments: Sequence[str]) -> RankPlan:
        num_nodes = self._slurm.nodes
        head = await asyncio.to_thread(find_node_network, self._spec.network)
        meeting = Meeting(head.address, find_free_port(head.address))
        ranks = make_ranks(self._engine, num_nodes, meeting)
        more = make_network_arguments(self._spec.network)
        uses_ray = choose_kind(self._engine, num_nodes) == "ray"
        is_toy = self._engine.model == str(DEMO_MODEL_DIR)
        if uses_ray:
            await asyncio.to_thread(write_private, self._ray_token, os.urandom(32).hex())
        return RankPlan(
            run_id=self.run_id,
            engine_python=self._spec.engine_python,
            device=self._spec.device,
            arguments=tuple(
                (*arguments, *more, *render_flags(rank.fields)) if rank.runs_vllm else () for rank in ranks
            ),
            head_address=meeting.address,
            head_port=meeting.port,
            uses_ray=uses_ray,
            runtime_dir=self._runtime_dir,
            cache_dir=self._spec.cache_dir,
            hf_home=self._spec.hf_home,
            engine_version=await read_engine_version(self._spec.engine_python) or "unknown",
            cpu_kv_cache_gib=choose_cpu_kv_cache_gib(num_engines=len(self._spec.engines), is_toy=is_toy),
            gpus_per_node=parse_gres(self._slurm.gres)[1],
            has_lora=self._engine.has_lora,
            network=self._spec.network,
            ray_token=self._ray_token if uses_ray else None,
        )

    def _render(self, command: Sequence[str], name: str = "", gres: str | None = None) -> list[str]:
        return render_step(
            command,
            name=name or self._name,
            num_nodes=self._slurm.nodes,
            cpus_per_task=self._slurm.cpus_per_task,
            gres=self._slurm.gres if gres is None else gres,
        )

    def check_nodes(self) -> None:
        """Looks whether all nodes are still there.

        Raises:
            NodeSilentError: one isn't.
        """
        if self._nodes is not None:
            self._nodes.check()

    async def clear(self) -> tuple[str, ...]:
        """Ends what is left of the engine on any node, whatever has become of srun.

        Returns:
            What could not be ended, in sentences.
        """
        if self._nodes is not None:
            await self._nodes.close()
        self._ray_token.unlink(missing_ok=True)
        await self._cancel_steps()
        sweep = self._render([*PROGRAM, "curc_llm.job.sweep", self.run_id], name="sweep", gres="")
        said = (await run_question(sweep, timeout_s=SWEEP_S)).splitlines()
        # A node that can't be reached now is swept before the next start.
        self._is_clear = sum(line.endswith(SWEPT) for line in said) == self._slurm.nodes
        return tuple(line.partition(": ")[2] for line in said if "could not be ended" in line)

    async def _cancel_steps(self) -> None:
        """An srun that was killed leaves its step behind."""
        job_id = os.environ.get("SLURM_JOB_ID", "")
        listed = await run_question(["squeue", "--steps", f"--jobs={job_id}", "-h", "--format=%i %j"])
        for line in listed.splitlines():
            step_id, _, name = line.strip().partition(" ")
            if name == self._name:
                await run_question(["scancel", "--signal=KILL", step_id])


async def list_nodes(num_nodes: int) -> list[str]:
    """The names of the job's nodes, in its order; numbers where Slurm doesn't say, for all are watched."""
    listed = os.environ.get("SLURM_JOB_NODELIST", "")
    names = (await run_question(["scontrol", "show", "hostnames", listed])).split()
    return names if len(names) == num_nodes else [f"node {place}" for place in range(num_nodes)]


def find_free_port(address: str) -> int:
    """A port that nobody listens on at an address of this machine.

    Example:
        >>> find_free_port("127.0.0.1") > 1023
        True
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
