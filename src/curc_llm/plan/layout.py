"""Layout: how a model is spread over GPUs, and whether vLLM accepts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curc_llm.catalogue.architecture import Architecture
from curc_llm.sites.card import Card

# vLLM's fp8 kernels for MoE quantise in blocks of 128 x 128: each GPU's slice of an expert must hold whole
# blocks (vllm/model_executor/layers/quantization/fp8.py, validate_fp8_block_shape).
_FP8_BLOCK = 128


@dataclass(frozen=True)
class Layout:
    """vLLM's parallel sizes.

    Args:
        tensor_parallel_size: GPUs that share each layer.
        pipeline_parallel_size: groups of GPUs that each hold a run of layers.
        data_parallel_size: copies that answer independently; of a MoE model they share the experts.
        enable_expert_parallel: whole experts on each GPU instead of a slice of every expert.

    Example:
        >>> Layout(tensor_parallel_size=4, pipeline_parallel_size=2).num_gpus
        8
    """

    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    enable_expert_parallel: bool = False

    @property
    def gpus_per_replica(self) -> int:
        """GPUs of one copy of the model."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @property
    def num_gpus(self) -> int:
        """GPUs of all copies."""
        return self.gpus_per_replica * self.data_parallel_size


def explain_layout(arch: Architecture, layout: Layout, card: Card, gpus_per_node: int) -> str:
    """Why vLLM would refuse a layout, in one sentence; empty when it works.

    Args:
        arch: the model's numbers.
        layout: the layout.
        card: the GPU.
        gpus_per_node: GPUs of this type in one node.

    Sources: divisibility of heads, vllm/config/model.py (verify_with_parallel_config); of KV heads,
    vllm/model_executor/layers/linear.py (QKVParallelLinear: divided, or replicated a whole number of times);
    the vocabulary is padded, so it never stands in the way (vocab_parallel_embedding.py). That a MIG instance
    reaches no other GPU: NVIDIA's MIG user guide, "Application Considerations".

    Example:
        >>> explain_layout(llama_8b, Layout(tensor_parallel_size=3), a100, 3)
        'tensor_parallel_size 3 does not divide the 32 attention heads.'
    """
    for reason in _reasons(arch, layout, card, gpus_per_node):
        return reason
    return ""


def explain_spread(layout: Layout, num_nodes: int, *, uses_ray: bool = False) -> str:
    """Why vLLM can't be spread so over the nodes, in one sentence; empty when it can.

    Over nodes one copy takes tensor parallelism within a node and a pipeline from node to node; several
    copies are dealt to the nodes whole, each within one. Ray places a copy over nodes beside others.

    Args:
        layout: the layout.
        num_nodes: nodes of the job.
        uses_ray: whether Ray starts the processes.

    Sources: https://docs.vllm.ai/en/latest/serving/, parallelism_scaling.html and
    data_parallel_deployment.html.

    Example:
        >>> explain_spread(Layout(4, 1, 3), 2)
        "3 copies of the model (data_parallel_size) can't be dealt evenly to 2 nodes."
    """
    copies = layout.data_parallel_size
    if num_nodes == 1 or copies == 1 or uses_ray or copies % num_nodes == 0:
        return ""
    if num_nodes % copies == 0:
        return (
            f"{copies} copies of the model (data_parallel_size) over {num_nodes} nodes would each span "
            f"{num_nodes // copies}, which only Ray starts (--distributed-executor-backend ray); or use one "
            "copy, or one session for each."
        )
    return f"{copies} copies of the model (data_parallel_size) can't be dealt evenly to {num_nodes} nodes."


def straddles_nodes(layout: Layout, gpus_per_node: int) -> bool:
    """Whether some GPUs that share each layer would be on different nodes."""
    return layout.num_gpus > gpus_per_node and gpus_per_node % layout.tensor_parallel_size != 0


def make_layouts(
    arch: Architecture, card: Card, num_gpus: int, gpus_per_node: int, format_: str = ""
) -> tuple[Layout, ...]:
    """All layouts that use exactly `num_gpus`, best first.

    One copy of the model before several; within that the widest tensor parallelism (it shortens every step),
    pipeline stages only for what tensor parallelism can't reach: more GPUs than the heads can be divided by,
    or than a node has.

    Args:
        arch: the model's numbers.
        card: the GPU.
        num_gpus: GPUs of the launch, over all nodes.
        gpus_per_node: GPUs of this type in one node.
        format_: of the weights; with fp8, layouts that would cut an expert inside a block use expert
            parallelism.
    """
    layouts = (
        _with_experts(arch, Layout(tp, pp, dp), format_)
        for dp in _divisors(num_gpus)
        for pp in _divisors(num_gpus // dp)
        for tp in (num_gpus // dp // pp,)
    )
    return tuple(layout for layout in layouts if not explain_layout(arch, layout, card, gpus_per_node))


def stage_layers(num_layers: int, num_stages: int) -> tuple[int, ...]:
    """Layers of each pipeline stage, as vLLM deals them (vllm/distributed/utils.py, get_pp_indices).

    What is left over goes to the stages before the last, from behind.

    Example:
        >>> stage_layers(62, 4)
        (15, 16, 16, 15)
    """
    sizes = [num_layers // num_stages] * num_stages
    for place in range(2, num_layers % num_stages + 2):
        sizes[-place] += 1
    return tuple(sizes)


def cuts_expert_block(arch: Architecture, tensor_parallel_size: int) -> bool:
    """Whether tensor parallelism would cut an expert inside one of fp8's blocks of 128."""
    inner = expert_inner_size(arch)
    return bool(inner) and inner % (tensor_parallel_size * _FP8_BLOCK) != 0


def expert_inner_size(arch: Architecture) -> int:
    """Inner size of one routed expert; 0 when it can't be told.

    It isn't among the architecture's numbers, but follows from expert_params / (experts x 3 matrices x hidden
    size x MoE layers), where the number of MoE layers is the largest that makes a multiple of 64.

    Example:
        >>> expert_inner_size(deepseek_v3)  # 58 of its 61 layers are MoE
        2048
    """
    if not (arch.num_experts and arch.expert_params):
        return 0
    of_all_layers = arch.expert_params / (arch.num_experts * 3 * arch.hidden_size)
    for num_layers in range(arch.num_layers, 0, -1):
        inner = round(of_all_layers / num_layers / 64) * 64
        # Biases of the experts (gpt-oss) make up to 0.04 %.
        if inner and abs(of_all_layers / (num_layers * inner) - 1) < 5e-4:
            return inner
    return 0


def _reasons(arch: Architecture, layout: Layout, card: Card, gpus_per_node: int) -> Iterator[str]:
    tp, pp = layout.tensor_parallel_size, layout.pipeline_parallel_size
    if card.is_mig and layout.num_gpus > 1:
        yield f"{card.title} is a MIG slice: slices can't work together, so it takes exactly one."
    if tp > gpus_per_node:
        yield f"tensor_parallel_size {tp} is wider than a node, which has {_gpus(gpus_per_node)}."
    if arch.attention and arch.num_attention_heads % tp:
        yield f"tensor_parallel_size {tp} does not divide the {arch.num_attention_heads} attention heads."
    for group in arch.attention:
        heads = group.num_kv_heads
        if group.kind not in ("mla", "linear") and heads and heads % tp and tp % heads:
            yield f"tensor_parallel_size {tp} neither divides the {heads} KV heads nor is a multiple of them."
    if pp > arch.num_layers:
        yield f"pipeline_parallel_size {pp} is more than the model's {arch.num_layers} layers."
    if layout.enable_expert_parallel:
        yield from _expert_reasons(arch, layout)


def _expert_reasons(arch: Architecture, layout: Layout) -> Iterator[str]:
    if not arch.num_experts:
        yield "enable_expert_parallel needs a mixture-of-experts model, which this is not."
    elif layout.tensor_parallel_size * layout.data_parallel_size > arch.num_experts:
        yield f"expert parallelism over more GPUs than the {arch.num_experts} experts leaves some empty."


def _with_experts(arch: Architecture, layout: Layout, format_: str) -> Layout:
    tp = layout.tensor_parallel_size
    spread = arch.num_experts > 0 and (
        layout.data_parallel_size > 1 or (tp > 1 and "fp8" in format_ and cuts_expert_block(arch, tp))
    )
    if not spread:
        return layout
    return Layout(tp, layout.pipeline_parallel_size, layout.data_parallel_size, True)


def _divisors(number: int) -> list[int]:
    return [part for part in range(1, number + 1) if number % part == 0]


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
