"""Models and cards written by hand, so that the arithmetic's tests don't depend on the catalogue."""

from __future__ import annotations

from curc_llm.catalogue.architecture import Architecture, AttentionGroup
from curc_llm.catalogue.model import Model, Weights
from curc_llm.plan.memory import EngineWish
from curc_llm.sites.card import Card

A100 = Card(
    source="hand",
    title="NVIDIA A100 80 GB",
    memory_gb=80,
    memory_gib=79.25,
    memory_bandwidth_gb_per_s=2039,
    compute_capability=8.0,
    link_gb_per_s=300,
)
A100_40 = A100.model_copy(update={"memory_gb": 40, "memory_gib": 39.39, "memory_bandwidth_gb_per_s": 1555})
H100 = A100.model_copy(
    update={"title": "NVIDIA H100 80 GB", "compute_capability": 9.0, "memory_bandwidth_gb_per_s": 3350}
)
L40 = A100.model_copy(
    update={
        "title": "NVIDIA L40",
        "memory_gib": 44.39,
        "memory_bandwidth_gb_per_s": 864,
        "compute_capability": 8.9,
        "link_gb_per_s": 32,
    }
)
B200 = A100.model_copy(update={"title": "NVIDIA B200", "compute_capability": 10.0})
T4 = A100.model_copy(update={"title": "NVIDIA T4", "compute_capability": 7.5})
V100 = A100.model_copy(update={"title": "NVIDIA V100", "compute_capability": 7.0})
MIG = A100.model_copy(update={"title": "A100 3g.20gb", "is_mig": True, "memory_gib": 19.5})
MI100 = Card(
    source="hand",
    title="AMD Instinct MI100",
    vendor="amd",
    memory_gb=32,
    memory_gib=31.98,
    memory_bandwidth_gb_per_s=1229,
)
CPU = Card(
    source="hand", title="CPU", vendor="cpu", memory_gb=24, memory_gib=24, memory_bandwidth_gb_per_s=40
)


def full(num_layers: int, num_kv_heads: int, head_dim: int) -> AttentionGroup:
    return AttentionGroup(kind="full", num_layers=num_layers, num_kv_heads=num_kv_heads, head_dim=head_dim)


def sliding(num_layers: int, num_kv_heads: int, head_dim: int, window_tokens: int) -> AttentionGroup:
    return AttentionGroup(
        kind="sliding",
        num_layers=num_layers,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        window_tokens=window_tokens,
    )


def dense(num_layers: int, hidden: int, heads: int, kv_heads: int, vocab: int, total: int) -> Architecture:
    """A dense model with heads of 128 and separate embeddings."""
    return Architecture(
        class_name="LlamaForCausalLM",
        num_layers=num_layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        vocab_size=vocab,
        attention=(full(num_layers, kv_heads, 128),),
        total_params=total,
        embedding_params=2 * vocab * hidden,
    )


LLAMA_8B = dense(32, 4096, 32, 8, 128256, 8_030_261_248)
LLAMA_70B = dense(80, 8192, 64, 8, 128256, 70_553_706_496)
QWEN3_32B = dense(64, 5120, 64, 8, 151936, 32_762_123_264)
DEEPSEEK_V3 = Architecture(
    class_name="DeepseekV3ForCausalLM",
    num_layers=61,
    hidden_size=7168,
    num_attention_heads=128,
    vocab_size=129280,
    attention=(AttentionGroup(kind="mla", num_layers=61, latent_dim=576),),
    total_params=671_026_419_200,
    active_params=37_000_000_000,
    embedding_params=2 * 129280 * 7168,
    num_experts=256,
    num_experts_per_token=8,
    expert_params=58 * 256 * 3 * 7168 * 2048,
)
GPT_OSS_20B = Architecture(
    class_name="GptOssForCausalLM",
    num_layers=24,
    hidden_size=2880,
    num_attention_heads=64,
    vocab_size=201088,
    attention=(full(12, 8, 64), sliding(12, 8, 64, 128)),
    total_params=20_914_757_184,
    embedding_params=2 * 201088 * 2880,
    num_experts=32,
    num_experts_per_token=4,
    expert_params=24 * 32 * (3 * 2880 * 2880 + 3 * 2880),
)
GEMMA_27B = Architecture(
    class_name="Gemma3ForConditionalGeneration",
    num_layers=62,
    hidden_size=5376,
    num_attention_heads=32,
    vocab_size=262208,
    attention=(full(10, 16, 128), sliding(52, 16, 128, 1024)),
    total_params=27_432_406_640,
    embedding_params=262208 * 5376,
    vision_params=417_000_000,
)
QWEN3_NEXT = Architecture(
    class_name="Qwen3NextForCausalLM",
    num_layers=48,
    hidden_size=2048,
    num_attention_heads=16,
    vocab_size=151936,
    attention=(full(12, 2, 256), AttentionGroup(kind="linear", num_layers=36, state_bytes=1_097_728)),
    total_params=80_000_000_000,
    embedding_params=2 * 151936 * 2048,
    num_experts=512,
    num_experts_per_token=10,
    expert_params=48 * 512 * 3 * 2048 * 512,
)
ALL = (LLAMA_8B, LLAMA_70B, QWEN3_32B, DEEPSEEK_V3, GPT_OSS_20B, GEMMA_27B, QWEN3_NEXT)
WISH = EngineWish(max_model_len=8192, max_num_seqs=64, max_num_batched_tokens=2048)


def model_of(arch: Architecture, format_: str = "bf16", weight_bytes: int | None = None) -> Model:
    """A model with one set of weights."""
    weights = Weights.model_validate({"hub_id": "hand/made", "format": format_, "weight_bytes": weight_bytes})
    return Model(
        source="hand",
        title="By hand",
        uses=("chat",),
        max_context_tokens=131072,
        architecture=arch,
        weights=(weights,),
    )
