"""Writes src/curc_llm/data/config_defaults.json from the configuration classes of transformers.

Run it after an update of transformers: `.venv/bin/python -m tests.catalogue.make_config_defaults`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[2] / "src" / "curc_llm" / "data" / "config_defaults.json"
# What the arithmetic reads. Lists are left out: their defaults fit the default number of layers alone.
KEYS = """
vocab_size hidden_size n_embd d_model num_hidden_layers n_layer num_layers num_attention_heads n_head
num_heads num_key_value_heads num_kv_heads head_dim v_head_dim intermediate_size n_inner ffn_dim
intermediate_size_mlp max_position_embeddings n_positions type_vocab_size tie_word_embeddings
attention_bias attn_output_gate multi_query new_decoder_architecture parallel_attn alibi bias use_bias
num_experts n_routed_experts num_local_experts moe_num_experts num_experts_per_tok num_experts_per_token
experts_per_token top_k_experts moe_k moe_intermediate_size n_shared_experts num_shared_experts
moe_num_shared_experts shared_expert_intermediate_size moe_shared_expert_intermediate_size
shared_intermediate_size first_k_dense_replace num_dense_layers decoder_sparse_step
interleave_moe_layer_step moe_layer_freq moe_layer_interval moe_layer_start_index moe_layer_end_index
enable_moe_block moe_latent_size expert_layer_period expert_layer_offset num_nextn_predict_layers
kv_lora_rank q_lora_rank qk_nope_head_dim qk_rope_head_dim index_n_heads index_head_dim o_groups
o_lora_rank sliding_window sliding_window_pattern use_sliding_window max_window_layers
attention_chunk_size full_attention_interval attn_layer_period attn_layer_offset global_head_dim
num_global_key_value_heads attention_k_eq_v num_kv_shared_layers use_double_wide_mlp
hidden_size_per_layer_input vocab_size_per_layer_input altup_num_inputs laurel_rank use_qk_norm hc_mult
linear_conv_kernel_dim linear_key_head_dim linear_value_head_dim linear_num_key_heads
linear_num_value_heads conv_kernel mamba_num_heads mamba_head_dim ssm_state_size n_groups expand
mamba_n_heads mamba_d_head mamba_d_state mamba_n_groups mamba_d_conv mamba_expand mamba_d_ssm
mamba_dt_rank state_size time_step_rank conv_L_cache depth embed_dim out_hidden_size image_size patch_size
temporal_patch_size spatial_merge_size in_channels in_chans num_channels num_position_embeddings
position_embedding_size mlp_ratio vision_output_dim projector_input_dim projector_output_dim
projection_dim
""".split()  # noqa: SIM905 - a list of words
# Families of language models that vLLM serves, and what they see and hear with.
MODEL_TYPES = """
afmoe apertus arcee bailing_moe bamba bert bloom codegen cohere cohere2 cohere2_moe dbrx deepseek_v2
deepseek_v3 deepseek_v32 deepseek_v4 ernie4_5 ernie4_5_moe exaone4 exaone_moe falcon falcon_h1
falcon_mamba gemma gemma2 gemma3_text gemma3n_text gemma4_text glm glm4 glm4_moe glm4_moe_lite glm4v_text
glm4v_moe_text glm_moe_dsa gpt2 gpt_bigcode gpt_neo gpt_neox gpt_oss gptj granite granitemoe
granitemoehybrid granitemoeshared helium hy_v3 internlm3 jamba jetmoe kimi_k2 kimi_linear lfm2 lfm2_moe
llama llama4_text mamba mamba2 minicpm3 minimax minimax_m2 ministral ministral3 mistral mistral4 mixtral
mllama_text_model modernbert mpnet mpt nemotron nemotron_h nomic_bert olmo olmo2 olmo3 olmo_hybrid olmoe
opt persimmon phi phi3 phi4_multimodal phimoe qwen2 qwen2_5_vl_text qwen2_moe qwen2_vl_text qwen3
qwen3_5_moe_text qwen3_5_text qwen3_moe qwen3_next qwen3_vl_moe_text qwen3_vl_text roberta seed_oss
smollm3 solar_open stablelm starcoder2 xlm-roberta zamba2 clip_vision_model gemma4_vision glm4v_moe_vision
glm4v_vision llama4_vision_model mllama_vision_model pixtral qwen2_5_vl_vision qwen2_vl_vision
qwen3_5_moe_vision qwen3_5_vision qwen3_vl_moe_vision qwen3_vl_vision siglip_vision_model
siglip2_vision_model internvl_vision gemma3 gemma3n gemma4 mistral3 llama4 mllama qwen2_vl qwen2_5_vl
qwen3_vl qwen3_vl_moe qwen3_5 qwen3_5_moe glm4v glm4v_moe glm46v llava internvl kimi_k25 gemma4_audio
gemma3n_audio hunyuan_v1_moe hunyuan_v1_dense mimo_v2_flash step3p5 longcat_flash dots1
minimax_m3_vl glm5_next
gemma4_unified gemma4_unified_text glm5_next_text glm5_next_vision
""".split()  # noqa: SIM905 - a list of words


def list_config_classes() -> dict[str, Any]:
    """Every configuration class of transformers by model_type, those of models' parts included."""
    import transformers
    from transformers.configuration_utils import PretrainedConfig

    for name in dir(transformers):
        if name.endswith("Config"):
            getattr(transformers, name, None)
    found: dict[str, Any] = {}
    pending = [PretrainedConfig]
    while pending:
        for cls in pending.pop().__subclasses__():
            pending.append(cls)
            if cls.__module__.startswith("transformers.models."):
                found.setdefault(cls.model_type, cls)
    return found


def make_defaults() -> dict[str, dict[str, Any]]:
    classes = list_config_classes()
    table = {}
    for model_type in MODEL_TYPES:
        if cls := classes.get(model_type):
            values = {key: getattr(cls, key, None) for key in KEYS}
            table[model_type] = {k: v for k, v in values.items() if isinstance(v, int | str | float)}
    return table


def main() -> None:
    import transformers

    about = f"Defaults of the configuration classes of transformers {transformers.__version__}"
    rows = [f'  "{name}": {json.dumps(values)}' for name, values in sorted(make_defaults().items())]
    head = f'{{"about": "{about}",\n "url": "https://github.com/huggingface/transformers",\n "defaults": {{\n'
    FILE.write_text(head + ",\n".join(rows) + "\n}}\n")


if __name__ == "__main__":
    main()
