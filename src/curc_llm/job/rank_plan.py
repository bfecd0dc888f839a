"""RankPlan: what the nodes of one engine are told, in a file that all of them can read. Holds no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from curc_llm.errors import SpecError
from curc_llm.session.files import write_private
from curc_llm.sites.network import Network


class RankPlan(BaseModel):
    """One start of an engine over several nodes.

    Args:
        run_id: marks every process of the engine (sweep.RUN_VARIABLE).
        engine_python: the Python that has vLLM.
        device: `cuda` or `cpu`.
        arguments: vLLM's, for each node; empty for one that runs no vLLM.
        head_address, head_port: where the nodes find each other.
        uses_ray: whether Ray joins the nodes, at that address.
        runtime_dir: the session's folder for sockets on the first node; the others make their own.
        cache_dir, hf_home, engine_version: see EngineCaches.
        cpu_kv_cache_gib: KV cache of each rank on machines without GPU.
        gpus_per_node: what Ray may count on.
        has_lora: whether adapters may come and go while it runs.
        network: the site's.
        ray_token: file with Ray's token, 0600.
        patience_s: seconds that vLLM gets to finish.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    engine_python: str
    device: Literal["cuda", "cpu"]
    arguments: tuple[tuple[str, ...], ...]
    head_address: str
    head_port: int
    uses_ray: bool = False
    runtime_dir: Path
    cache_dir: Path
    hf_home: Path
    engine_version: str = "unknown"
    cpu_kv_cache_gib: int = 1
    gpus_per_node: int = 1
    has_lora: bool = False
    network: Network = Network()
    ray_token: Path | None = None
    patience_s: float = 8.0

    @property
    def num_nodes(self) -> int:
        """How many nodes the engine has."""
        return len(self.arguments)


def write_rank_plan(path: Path, plan: RankPlan) -> None:
    """Writes a plan, for its owner alone."""
    write_private(path, plan.model_dump_json(indent=1))


def read_rank_plan(path: Path) -> RankPlan:
    """Reads a plan.

    Raises:
        SpecError: it can't be read here; on another node the folder may not be shared.
    """
    try:
        return RankPlan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(
            f"{path} can't be read on this node: {reason}.",
            "Set state_dir to a folder that all nodes share.",
        ) from error
