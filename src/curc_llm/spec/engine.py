"""EngineSpec: one engine of a session, and how it is made from what a person called a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from curc_llm.factfile import Frozen
from curc_llm.plan.plan import Plan
from curc_llm.settings import Settings
from curc_llm.spec.adapter import Adapter, make_adapter
from curc_llm.spec.model_folder import DEMO_MODEL_DIR, find_model_folder

DEMO_MODEL_NAME = "curc-guide"
# The bundled model once more, as one that turns texts into vectors: it shows how, not what a real one can do.
DEMO_EMBED_NAME = "demo-embed"
# vLLM's own default (vllm/config/model.py), written down so that a spec says all that a repeat needs.
DEFAULT_SEED = 0
# The planner's answer doesn't decide these: who may run a model's code, what it is called, and what it is.
NOT_PLANNED = {"model", "revision", "served_model_name", "trust_remote_code"}
# How an engine is spread over GPUs.
SIZES = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
SPREAD = (*SIZES, "distributed_executor_backend")
# What an engine may have of the GPUs, where it isn't alone.
PLACED = ("gpu_memory_utilization", "kv_cache_memory_bytes", *SIZES)
# Without a GPU vLLM's CPU build sets its own limits: only what the model is counts there, and the context.
PLANNED_ON_CPU = {"tool_call_parser", "reasoning_parser", "runner", "quantization", "max_model_len"}


class EngineSpec(Frozen):
    """One engine to run: the model and how vLLM serves it. Field names are vLLM's own.

    Args:
        model: a folder (absolute path), or a Hugging Face id.
        is_local: True when `model` is a folder; then nothing is asked of the hub.
        max_model_len: context wanted, in tokens; lowered to the model's own limit when the engine starts.
        max_num_batched_tokens: tokens of one forward pass, over all requests.
        tensor_parallel_size, pipeline_parallel_size: GPUs that share each layer; groups of layers.
        data_parallel_size: copies of the model that share the requests.
        device_ids: of the job's GPUs on its node those that it runs on, counted from 0; empty: all.
        kv_cache_memory_bytes: size of the KV cache on each GPU; None: what the share of the memory leaves.
        distributed_executor_backend: `mp`, vLLM's own, over nodes too; `ray`; None: chosen.
        enable_expert_parallel: whole experts on each GPU instead of slices of all of them.
        seed: start of vLLM's random numbers, for sampling without a seed of its own.
        adapters: LoRA adapters to be loaded with it.
        max_loras: adapters that one batch may use; None with adapters: as many as there are, at most four.
        max_lora_rank: the largest rank that can be loaded; None: what the adapters need, at least 16.
        known_as: what else its model is called, by which adapters may name their base.
    """

    served_model_name: str
    model: str
    is_local: bool
    revision: str | None = None
    runner: Literal["generate", "pooling"] = "generate"
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilization: float | None = None
    kv_cache_memory_bytes: int | None = None
    dtype: str | None = None
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    tensor_parallel_size: int | None = None
    pipeline_parallel_size: int | None = None
    data_parallel_size: int | None = None
    device_ids: tuple[int, ...] = ()
    distributed_executor_backend: Literal["mp", "ray"] | None = None
    enable_expert_parallel: bool = False
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    trust_remote_code: bool = False
    enforce_eager: bool = False
    seed: int | None = None
    adapters: tuple[Adapter, ...] = ()
    max_loras: int | None = None
    max_lora_rank: int | None = None
    known_as: tuple[str, ...] = ()

    @property
    def has_lora(self) -> bool:
        """Whether it is started so that adapters can be loaded, now or later."""
        return bool(self.adapters or self.max_loras)


def make_engine_spec(
    settings: Settings,
    wanted: str,
    *,
    given: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    device: Literal["cuda", "cpu"] = "cpu",
) -> EngineSpec:
    """Resolves what a person called a model.

    It may be a settings entry, `demo`, a folder, a Hugging Face id, or with a plan a name of the catalogue.
    The later of these wins: the settings' defaults, the plan, the settings' entry, what was given.

    Args:
        settings: the person's own.
        wanted: what the person called it.
        given: values from the command line by field name; None and unknown ones are left out.
        plan: what the planner chose for it.
        device: what it will run on.

    Raises:
        ModelNotFoundError: it is none of these, or the folder is no model that can be served.
    """
    own = settings.models.get(wanted)
    if own is None and is_demo(wanted):
        return _make_demo(settings, wanted, given or {}, plan)
    values = settings.defaults.model_dump(exclude_none=True)
    if plan is not None:
        values |= planned_fields(plan, device)
    if own is not None:
        values |= own.model_dump(exclude_none=True)
    values |= {name: value for name, value in (given or {}).items() if value is not None}
    model = _choose_model(wanted, plan, values.pop("model", None))
    folder = find_model_folder(model)
    name = values.pop("served_model_name", None) or (wanted if own else _default_name(wanted))
    return _build(values, name, str(folder or model), is_local=folder is not None)


def place_engine(engine: EngineSpec, plan: Plan) -> EngineSpec:
    """The engine with its GPUs and its part of their memory as planned, whatever settings say of it alone.

    Args:
        engine: one of several in a job.
        plan: its own; the first engine's plan has the others in `beside`.
    """
    fields = {name: plan.vllm_fields.get(name) for name in PLACED}
    return engine.model_copy(update={**fields, "device_ids": plan.device_ids})


def share_gpus(one: EngineSpec, other: EngineSpec) -> bool:
    """Whether two engines of a job have a GPU in common.

    Example:
        >>> first = EngineSpec(served_model_name="a", model="/a", is_local=True, device_ids=(0,))
        >>> share_gpus(first, first.model_copy(update={"device_ids": (1,)}))
        False
    """
    return not (one.device_ids and other.device_ids) or bool({*one.device_ids} & {*other.device_ids})


def is_demo(wanted: str) -> bool:
    """Whether the bundled model is meant."""
    return wanted in {"demo", DEMO_MODEL_NAME, DEMO_EMBED_NAME}


def _make_demo(settings: Settings, wanted: str, given: Mapping[str, Any], plan: Plan | None) -> EngineSpec:
    defaults = settings.defaults.model_dump(exclude_none=True)
    kept = {k: v for k, v in defaults.items() if k in {"gpu_memory_utilization", "max_model_len"}}
    own = {"max_num_seqs": 64, "enforce_eager": True}
    spread = _over_nodes(plan)
    values = own | kept | spread | {name: value for name, value in given.items() if value is not None}
    name = DEMO_MODEL_NAME
    if wanted == DEMO_EMBED_NAME:
        name, values = DEMO_EMBED_NAME, values | {"runner": "pooling"}
    return _build(values, name, str(DEMO_MODEL_DIR), is_local=True)


def _over_nodes(plan: Plan | None) -> dict[str, Any]:
    """How the bundled model is spread, which needs no plan on one node."""
    if plan is None or (plan.num_nodes or 1) == 1:
        return {}
    return {name: plan.vllm_fields[name] for name in SPREAD if name in plan.vllm_fields}


def _choose_model(wanted: str, plan: Plan | None, named: Any) -> str:
    """The folder or hub id: the plan's, which may be another quantisation than the one that was named."""
    planned = (plan.folder or plan.hub_id) if plan is not None else ""
    return planned or str(named or wanted)


def _default_name(wanted: str) -> str:
    """What the API calls it: what the person typed; of a folder's path only the folder's own name."""
    if "/" not in wanted and not wanted.startswith((".", "~")):
        return wanted
    folder = find_model_folder(wanted)
    return folder.name if folder is not None else wanted


def planned_fields(plan: Plan, device: Literal["cuda", "cpu"]) -> dict[str, Any]:
    """What the planner decided for vLLM, by its names, as far as it counts on this device."""
    fields = {k: v for k, v in plan.vllm_fields.items() if k not in NOT_PLANNED}
    if device == "cpu":
        fields = {k: v for k, v in fields.items() if k in PLANNED_ON_CPU}
    revision = {"revision": plan.revision} if plan.revision and not plan.folder else {}
    return {**fields, **revision}


def _build(values: Mapping[str, Any], name: str, model: str, *, is_local: bool) -> EngineSpec:
    known = {k: v for k, v in values.items() if k in EngineSpec.model_fields}
    if isinstance(named := known.get("adapters"), Mapping):
        known["adapters"] = tuple(make_adapter(name, str(source)) for name, source in named.items())
    rest = {"seed": DEFAULT_SEED, **known, "served_model_name": name, "model": model, "is_local": is_local}
    return EngineSpec.model_validate({**rest, "revision": None if is_local else rest.get("revision")})
