from __future__ import annotations

from curc_llm.engine.model_files import choose_files, has_config, has_weights

LLAMA = {
    "config.json": 1,
    "generation_config.json": 1,
    "tokenizer.json": 1,
    "tokenizer.model": 1,
    "model-00001-of-00002.safetensors": 9,
    "model-00002-of-00002.safetensors": 9,
    "model.safetensors.index.json": 1,
    "special_tokens_map.json": 1,
}


def test_of_weights_that_are_there_twice_safetensors_win() -> None:
    twice = {
        **LLAMA,
        "pytorch_model-00001-of-00001.bin": 9,
        "original/consolidated.00.pth": 9,
        "README.md": 1,
    }
    assert choose_files(twice) == LLAMA


def test_mistrals_second_copy_is_left_out() -> None:
    assert choose_files({**LLAMA, "consolidated.safetensors": 9, "params.json": 1}) == {
        **LLAMA,
        "params.json": 1,
    }


def test_mistrals_own_form_is_taken_where_it_is_the_only_one() -> None:
    only = {"params.json": 1, "tekken.json": 1, "consolidated.safetensors": 9}
    assert choose_files(only) == only


def test_older_weights_are_taken_where_there_are_no_others() -> None:
    old = {"config.json": 1, "pytorch_model.bin": 9, "vocab.json": 1}
    assert choose_files({**old, "flax_model.msgpack": 9, "tf_model.h5": 9, "onnx/model.onnx": 9}) == old


def test_templates_and_code_of_the_model_are_kept() -> None:
    files = {
        "config.json": 1,
        "model.safetensors": 9,
        "chat_template.jinja": 1,
        "modeling_x.py": 1,
        "1_Pooling/config.json": 1,
    }
    assert choose_files(files) == files


def test_what_makes_a_model_is_told() -> None:
    assert has_config(LLAMA)
    assert has_weights(LLAMA)
    assert not has_config({"adapter_config.json"})
    assert not has_weights({"model.gguf"})
