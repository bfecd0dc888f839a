"""Presets: goals that people have, turned into what the planner and vLLM need."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from curc_llm.errors import PlanError
from curc_llm.factfile import Fact, Frozen, Source, make_facts, read_yaml
from curc_llm.plan.names import nearest

Goal = Literal["balanced", "latency", "throughput", "long-context", "development"]
SHIPPED = Path(__file__).parents[1] / "data" / "presets.yml"

# Tokens of one scheduler step: (GPUs below 70 GiB and A100, larger ones). Few keep the pause between two
# tokens short, many keep the GPU busy. vLLM's own are 2048 and 8192 for a server, 8192 and 16384 for batches
# (vllm/engine/arg_utils.py, get_batch_defaults, which also says why an A100 wants the smaller one).
BATCHED_TOKENS: dict[Goal, tuple[int, int]] = {
    "balanced": (2048, 8192),
    "latency": (2048, 2048),
    "throughput": (8192, 16384),
    "long-context": (4096, 8192),
    "development": (2048, 2048),
}
LARGE_GPU_GIB = 70.0
MIN_TOKENS_PER_S = 15.0  # more than twice as fast as people read; slower answers feel stuck. Our choice


class Preset(Fact):
    """One preset.

    Args:
        title, description: for people; the description is one sentence.
        goal: what it is good at; decides layout and tokens of a step.
        model: the model that is planned when none is named; empty: one must be named.
        quantisations: formats in order of preference; empty: best quality first.
        max_model_len: context that is wanted, in tokens; None: as settings say.
        max_num_seqs: requests at once; None: as settings say.
        min_concurrency: requests of full context that should fit, else the context is lowered.
        room_context_tokens, room_requests: a GPU is recommended when so many requests of such a length fit.
        min_tokens_per_s: what a recommended GPU gives one request alone, as long as some GPU does.
        max_num_batched_tokens: tokens of one step; None: by goal and GPU.
        enforce_eager: leave out CUDA graphs: starts sooner, answers slower.
        hours: wall time when none is asked for, in hours.
        uses_test_qos: True when a QoS that is meant for tests may be chosen.
    """

    source: str = ""
    title: str
    description: str
    goal: Goal = "balanced"
    model: str = ""
    quantisations: tuple[str, ...] = ()
    max_model_len: int | None = Field(default=None, ge=1024)
    max_num_seqs: int | None = Field(default=None, ge=1)
    min_concurrency: float = Field(default=1.0, gt=0)
    room_context_tokens: int = Field(default=8192, ge=1024)
    room_requests: int = Field(default=4, ge=1)
    min_tokens_per_s: float = Field(default=MIN_TOKENS_PER_S, ge=0)
    max_num_batched_tokens: int | None = Field(default=None, ge=256)
    enforce_eager: bool = False
    hours: float | None = Field(default=None, gt=0)
    uses_test_qos: bool = False


class Presets(Frozen):
    """All presets by name."""

    version: Literal[1] = 1
    sources: dict[str, Source] = {}
    presets: dict[str, Preset]


NO_PRESET = Preset(title="", description="")


def load_presets(path: Path | None = None) -> Presets:
    """The presets of a file; the shipped ones when none is named.

    Raises:
        FactFileError: the file holds something that can't be used; names the line.
    """
    return _read(path or SHIPPED)


@cache
def _read(path: Path) -> Presets:
    text, values = read_yaml(path, "presets file")
    return make_facts(Presets, values, path, text)


def find_preset(name: str | None, presets: Presets) -> Preset:
    """The preset of that name; a plain, balanced one for None.

    Raises:
        PlanError: there is none of that name; names the nearest.

    Example:
        >>> find_preset("large", load_presets()).goal
        'balanced'
    """
    if name is None:
        return NO_PRESET
    if name not in presets.presets:
        raise PlanError(f"There is no preset {name!r}.", nearest(name, presets.presets))
    return presets.presets[name]


def batched_tokens(preset: Preset, memory_gib: float, is_a100: bool) -> int:
    """Tokens of one scheduler step, by goal and the memory of one GPU; an A100 (8.0) counts as a small one.

    Example:
        >>> batched_tokens(NO_PRESET, 79.2, is_a100=True), batched_tokens(NO_PRESET, 139.8, is_a100=False)
        (2048, 8192)
    """
    small, large = BATCHED_TOKENS[preset.goal]
    return preset.max_num_batched_tokens or (large if memory_gib >= LARGE_GPU_GIB and not is_a100 else small)
