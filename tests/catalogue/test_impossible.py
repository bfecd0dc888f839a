"""config.json files that no model can have."""

from __future__ import annotations

from typing import Any

import pytest

from curc_llm.catalogue.config_json import model_from_config
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.conftest import LLAMA


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_attention_heads": 32, "num_key_value_heads": 5}, "5 KV heads, which don't divide its 32"),
        ({"num_attention_heads": 4, "num_key_value_heads": 8}, "8 KV heads, more than its 4"),
        ({"num_hidden_layers": 2.5}, "num_hidden_layers: 2.5, which is no whole number"),
        ({"architectures": "LlamaForCausalLM"}, "architectures: 'LlamaForCausalLM', which is no list"),
        ({"quantization_config": "fp8"}, "quantization_config: 'fp8', which holds no names"),
        ({"num_hidden_layers": 2, "layer_types": ["full_attention"]}, "kinds of 1 layers"),
        ({"rope_scaling": {"rope_type": "linear", "factor": float("nan")}}, "RoPE is scaled by nan"),
        ({"rope_scaling": {"rope_type": "linear", "factor": -2}}, "RoPE is scaled by -2"),
        ({"num_local_experts": 4, "num_experts_per_tok": 8}, "8 experts per token; it has 4 experts"),
    ],
)
def test_what_no_model_can_be_is_told_in_a_sentence(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        model_from_config({**LLAMA, **change}, "mine")
    assert told in str(caught.value)
    assert "makes no sense" not in str(caught.value)
    assert caught.value.remedy == "Fetch the file again, or mend it."
