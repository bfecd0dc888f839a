"""Plan: the planner's answer. A refusal is a Plan too: `fits` is False, `reason` says why."""

from __future__ import annotations

from curc_llm.factfile import Frozen
from curc_llm.plan.request import PlanRequest


class Step(Frozen):
    """One step of the arithmetic, for `--why`.

    Args:
        name: what is computed: "Weights on each GPU".
        formula: in words and signs: "weight bytes / (tensor_parallel_size x pipeline_parallel_size)".
        numbers: the same with this launch's numbers.
        result: with its unit: "65.7 GiB".
        source: where the formula comes from: a file of vLLM, a paper, a page.
    """

    name: str
    formula: str
    numbers: str
    result: str
    source: str = ""


class MemorySplit(Frozen):
    """Where the memory of the fullest GPU goes, in GiB; the parts add up to memory_gib.

    Args:
        memory_gib: what CUDA reports.
        outside_gib: what vLLM may not touch: memory_gib x (1 - gpu_memory_utilization) - beside_gib.
        weights_gib: weights on that GPU.
        activations_gib: peak of one forward pass.
        cuda_graphs_gib: captured graphs; 0 when eager.
        runtime_gib: CUDA context, NCCL buffers, libraries.
        kv_cache_gib: what is left for the KV cache.
        beside_gib: what the other engines on that GPU have of it.
    """

    memory_gib: float
    outside_gib: float
    weights_gib: float
    activations_gib: float
    cuda_graphs_gib: float
    runtime_gib: float
    kv_cache_gib: float
    beside_gib: float = 0.0


class Alternative(Frozen):
    """A launch near the one that was asked for, which fits.

    Args:
        change: what is different, in words: "2 GPUs instead of 1".
        request: the launch; planned again it fits.
        command: the same for a shell: `curc-llm plan …`.
        su_total: what it costs.
    """

    change: str
    request: PlanRequest
    command: str
    su_total: float


class Plan(Frozen):
    """The planner's answer. Of a refusal, what could not be worked out is None or empty.

    Args:
        fits: True when the launch can work.
        reason: of a refusal: one sentence with the numbers; empty when it fits.
        alternatives: of a refusal: the nearest launches that fit, the nearest first; of a plan that fits:
            what would be cheaper or roomier, if anything.
        request: what was asked.
        site, model, title, hub_id, revision, folder, format: what is served; `format` of the weights as
            published.
        quantisation: as in PlanRequest, what was chosen.
        quantisation_use: `native`, `weight-only`, or empty for unquantised weights.
        num_gpus: GPUs; of replicas, of each.
        replicas: engines like this in the same job, each with GPUs of its own; cores, memory and cost are of
            all of them.
        cpus, memory_gib: cores and host memory of each node that Slurm is asked for.
        weights_gib: of all GPUs of one replica together. kv_cache_gib: likewise.
        kv_bytes_per_token: of one request at full context, over all GPUs of one replica, without replication.
        kv_cache_tokens: tokens that fit into one replica's KV cache.
        max_concurrency: requests of max_model_len tokens each that fit at once, over all replicas.
        max_num_seqs: requests that vLLM runs at once, of each replica, however many more the memory holds.
        load_time_s: until it answers; an estimate.
        decode_tokens_per_s: of one request alone; an estimate from memory bandwidth; None for embeddings.
        unverified: what has figures that nobody could check first-hand.
        vllm_fields: vLLM's settings by their names; `flags.render_flags` makes the command line of them.
        device_ids: of the job's GPUs on its node those that this engine runs on, counted from 0; empty: all.
        beside: the plans of the other engines of the same job. GPUs, cores, host memory and cost of the job
            are all in the first plan; theirs are their own GPUs and no cost.
    """

    fits: bool
    reason: str = ""
    alternatives: tuple[Alternative, ...] = ()
    request: PlanRequest
    site: str = ""
    model: str = ""
    title: str = ""
    hub_id: str = ""
    revision: str | None = None
    folder: str = ""
    format: str = ""
    quantisation: str = ""
    quantisation_use: str = ""
    preset: str = ""
    partition: str = ""
    qos: str = ""
    account: str = ""
    gpu_type: str = ""
    num_gpus: int | None = None
    num_nodes: int | None = None
    replicas: int = 1
    cpus: int | None = None
    memory_gib: int | None = None
    hours: float | None = None
    tensor_parallel_size: int | None = None
    pipeline_parallel_size: int | None = None
    data_parallel_size: int | None = None
    enable_expert_parallel: bool = False
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    memory: MemorySplit | None = None
    weights_gib: float | None = None
    kv_cache_gib: float | None = None
    kv_bytes_per_token: float | None = None
    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    load_time_s: float | None = None
    decode_tokens_per_s: float | None = None
    su_per_h: float | None = None
    su_total: float | None = None
    vllm_fields: dict[str, str | int | float | bool] = {}
    warnings: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    why: tuple[Step, ...] = ()
    device_ids: tuple[int, ...] = ()
    beside: tuple[Plan, ...] = ()
