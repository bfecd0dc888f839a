from __future__ import annotations

from typing import Any

import pytest

from curc_llm.catalogue.quantisation_config import read_format


def compressed(bits: int, kind: str, activations: bool) -> dict[str, Any]:
    group = {
        "weights": {"num_bits": bits, "type": kind},
        "input_activations": {"num_bits": 8} if activations else None,
    }
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}


CASES: list[tuple[dict[str, Any], str]] = [
    ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
    ({"quant_method": "fbgemm_fp8"}, "fp8"),
    ({"quant_method": "mxfp4"}, "mxfp4"),
    ({"quant_method": "awq", "bits": 4}, "awq-int4"),
    ({"quant_method": "awq_marlin", "w_bit": 4}, "awq-int4"),
    ({"quant_method": "gptq", "bits": 4}, "gptq-int4"),
    ({"quant_method": "gptq", "bits": 8}, "gptq-int8"),
    ({"quant_method": "auto-round", "bits": 4}, "w4a16"),
    ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
    ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
    ({"quant_method": "modelopt_fp4"}, "nvfp4"),
    ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4"),
    ({"quant_method": "compressed-tensors", "format": "float-quantized"}, "fp8"),
    ({"quant_method": "compressed-tensors", "format": "mxfp4-pack-quantized"}, "mxfp4"),
    (compressed(4, "int", False), "w4a16"),
    (compressed(8, "int", False), "gptq-int8"),
    (compressed(8, "int", True), "int8-w8a8"),
    (compressed(8, "float", True), "fp8"),
    (compressed(4, "float", True), "nvfp4"),
]


@pytest.mark.parametrize(("about", "wanted"), CASES)
def test_every_kind_of_quantisation_in_use_is_known(about: dict[str, Any], wanted: str) -> None:
    assert read_format({"torch_dtype": "bfloat16", "quantization_config": about}) == (wanted, "")
    assert read_format({"text_config": {"quantization_config": about}}) == (wanted, "")


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, "bf16"),
        ({"torch_dtype": "float16"}, "fp16"),
        ({"dtype": "torch.float32"}, "fp32"),
        ({"text_config": {"dtype": "float16"}}, "fp16"),
        ({"quantization_config": {}}, "bf16"),
        ({"quantization": {"quant_algo": "FP8"}}, "fp8"),
        ({"quantization": {"qformat_weight": "fp8_e4m3"}}, "fp8"),
        ({"quantization_config": {"quant_method": "fp8"}, "expert_dtype": "fp4"}, "mxfp4"),
    ],
)
def test_without_quantisation_the_dtype_counts(config: dict[str, Any], wanted: str) -> None:
    assert read_format(config) == (wanted, "")


@pytest.mark.parametrize(
    "about",
    [
        {"quant_method": "voodoo"},
        {"quant_method": "gptq", "bits": 3},
        {"quant_method": "compressed-tensors"},
        {"quant_method": "compressed-tensors", "config_groups": {"a": 1}},
        compressed(2, "int", False),
    ],
)
def test_an_unknown_kind_is_counted_unquantised_and_told(about: dict[str, Any]) -> None:
    found, assumed = read_format({"torch_dtype": "bfloat16", "quantization_config": about})
    assert found == "bf16"
    assert str(about["quant_method"]) in assumed


def test_bitsandbytes_is_counted_as_the_nearest_and_told() -> None:
    found, assumed = read_format(
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    )
    assert (found, "bitsandbytes" in assumed) == ("w4a16", True)
    assert read_format({"quantization_config": {"quant_method": "bitsandbytes"}})[0] == "gptq-int8"
