from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curc_llm.catalogue.folder import read_folder
from curc_llm.errors import ModelNotFoundError
from tests.catalogue.conftest import LLAMA, LLAMA_PARAMS, make_safetensors

Make = Callable[..., Path]
HALF = make_safetensors({"w": ("BF16", [LLAMA_PARAMS // 2], 2)})
INDEX = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}


def index(value: object = INDEX) -> bytes:
    return json.dumps(value).encode()


def fail(folder: Path) -> str:
    with pytest.raises(ModelNotFoundError) as caught:
        read_folder(folder)
    return str(caught.value)


def test_bytes_are_exact_and_so_are_parameters(make_model: Make) -> None:
    model = read_folder(make_model("my-llama"))
    assert (model.title, model.is_estimate, model.assumed) == ("my-llama", False, ())
    assert model.weights[0].weight_bytes == 2 * LLAMA_PARAMS
    assert model.architecture.total_params == LLAMA_PARAMS


def test_the_bundled_model_is_read() -> None:
    model = read_folder(Path(__file__).parents[2] / "src/curc_llm/data/demo_model")
    assert model.has_chat_template
    assert model.weights[0].weight_bytes
    assert not model.assumed


def test_shards_are_added_up(make_model: Make) -> None:
    files = {
        "model-1.safetensors": HALF,
        "model-2.safetensors": HALF,
        "model.safetensors.index.json": index(),
    }
    folder = make_model("sharded", **files, **{"extra.safetensors": b"not of the model"})
    assert read_folder(folder).weights[0].weight_bytes == 2 * (LLAMA_PARAMS // 2 * 2)


def test_a_missing_shard_is_named(make_model: Make) -> None:
    folder = make_model("half", **{"model-1.safetensors": HALF, "model.safetensors.index.json": index()})
    text = fail(folder)
    assert "isn't whole: model-2.safetensors of 2 shards is missing" in text
    assert "hf download" in text


def test_a_shard_that_is_cut_short_empty_or_a_pointer_is_named(make_model: Make) -> None:
    rest = {"model-1.safetensors": HALF, "model.safetensors.index.json": index()}
    assert "model-2.safetensors is cut short" in fail(
        make_model("a", **rest, **{"model-2.safetensors": HALF[:-1]})
    )
    assert "model-2.safetensors is empty" in fail(make_model("b", **rest, **{"model-2.safetensors": b""}))
    pointer = b"version https://git-lfs.github.com/spec/v1\n"
    assert "pointer of git-lfs" in fail(make_model("c", **rest, **{"model-2.safetensors": pointer}))


@pytest.mark.parametrize("value", [{}, [], {"weight_map": [1]}, {"weight_map": {"a": 1}}])
def test_a_broken_index_is_told(make_model: Make, value: object) -> None:
    text = fail(make_model("m", **{"model.safetensors.index.json": index(value)}))
    assert "model.safetensors.index.json" in text


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd"])
def test_an_index_can_not_lead_out_of_the_folder(make_model: Make, name: str) -> None:
    bad = index({"weight_map": {"a": name}})
    assert "outside of its folder" in fail(make_model("m", **{"model.safetensors.index.json": bad}))


def test_mistrals_second_copy_counts_once(make_model: Make) -> None:
    whole = make_safetensors({"w": ("BF16", [LLAMA_PARAMS], 2)})
    folder = make_model("m", **{"model.safetensors": whole, "consolidated.safetensors": whole})
    assert read_folder(folder).weights[0].weight_bytes == 2 * LLAMA_PARAMS


def test_mistrals_own_format_alone_is_a_model(make_model: Make) -> None:
    whole = make_safetensors({"w": ("BF16", [LLAMA_PARAMS], 2)})
    folder = make_model("m", **{"consolidated.safetensors": whole, "tekken.json": b"{}"})
    params = {"dim": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 128, "vocab_size": 100}
    (folder / "config.json").rename(folder / "params.json")
    (folder / "params.json").write_text(json.dumps({**params, "max_seq_len": 4096}))
    model = read_folder(folder)
    assert (model.max_context_tokens, model.has_chat_template) == (4096, True)


def test_bin_files_count_by_their_size_and_that_is_said(make_model: Make) -> None:
    model = read_folder(make_model("m", **{"pytorch_model.bin": bytes(5000), "training_args.bin": bytes(9)}))
    assert model.weights[0].weight_bytes == 5000
    assert ".bin" in model.assumed[0]
    assert model.architecture.total_params == LLAMA_PARAMS


def test_bin_files_are_checked_too(make_model: Make) -> None:
    assert "is empty" in fail(make_model("a", **{"pytorch_model.bin": b""}))
    assert "git-lfs" in fail(make_model("b", **{"pytorch_model.bin": b"version https://git-lfs.x"}))
    torch_index = index({"weight_map": {"a": "pytorch_model-1.bin"}})
    assert "pytorch_model-1.bin" in fail(make_model("c", **{"pytorch_model.bin.index.json": torch_index}))


@pytest.mark.parametrize("name", ["", "config.json"])
def test_config_json_alone_is_a_model_whose_parameters_are_an_estimate(make_model: Make, name: str) -> None:
    folder = make_model("m", **{"README.md": b""})
    model = read_folder(folder / name)
    assert (model.is_estimate, model.weights[0].weight_bytes, model.folder) == (True, None, str(folder))
    assert model.architecture.total_params == LLAMA_PARAMS
    assert model.has_chat_template  # nothing says that it has none


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_numbered_files_tell_which_of_them_is_missing_without_an_index(make_model: Make, ending: str) -> None:
    start = "model" if ending == "safetensors" else "pytorch_model"
    text = fail(make_model("m", **{f"{start}-00001-of-00002.{ending}": HALF}))
    assert f"isn't whole: {start}-00002-of-00002.{ending} of 2 shards is missing" in text
    assert "hf download" in text


def test_numbered_files_that_are_all_there_are_added_up(make_model: Make) -> None:
    files = {f"model-0000{n}-of-00002.safetensors": HALF for n in (1, 2)}
    assert read_folder(make_model("m", **files)).weights[0].weight_bytes == 2 * (LLAMA_PARAMS // 2 * 2)


def test_several_missing_files_are_counted_and_absurd_numbers_are_not(make_model: Make) -> None:
    text = fail(make_model("a", **{"model-00003-of-00004.safetensors": HALF}))
    assert "model-00001-of-00004.safetensors and 2 other files of 4 shards are missing" in text
    assert read_folder(make_model("b", **{"model-00001-of-999999.safetensors": HALF})).weights


def test_files_that_hold_far_less_than_config_json_describes_are_a_warning(make_model: Make) -> None:
    tiny = make_safetensors({"w": ("BF16", [100], 2)})
    model = read_folder(make_model("m", **{"model.safetensors": tiny}))
    assert model.assumed[0].startswith(f"Its files hold only 100 of the {LLAMA_PARAMS:,} parameters")
    assert "files are missing, or the config.json is another model's" in model.assumed[0]
    assert model.architecture.total_params == LLAMA_PARAMS  # never planned smaller than it is
    assert (model.weights[0].weight_bytes, model.is_estimate) == (None, True)


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", ""])
def test_names_that_no_file_has_are_no_trouble(make_model: Make, name: str) -> None:
    bad = index({"weight_map": {"a": name}})
    text = fail(make_model("m", **{"model.safetensors.index.json": bad}))
    assert "names a file outside of its folder" in text
    assert "fetch the model again" in text


def test_a_link_that_leads_to_itself_is_a_missing_file(make_model: Make) -> None:
    folder = make_model("m", **{"model.safetensors.index.json": index({"weight_map": {"a": "loop"}})})
    (folder / "loop").symlink_to("loop")
    assert "isn't whole: loop of 1 shards is missing" in fail(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "holds no `{...}`"),
        ("{", "config.json can't be read: line 1 isn't JSON"),
        ('{"a": ' * 100_000, "config.json can't be read: it is nested too deeply"),
        (json.dumps({**LLAMA, "num_attention_heads": float("nan")}), "num_attention_heads: 'nan'"),
        (json.dumps({**LLAMA, "hidden_size": 0}), "config.json says hidden_size: 0, without which"),
        (json.dumps({**LLAMA, "padding": " " * 17 * 2**20}), "it is larger than 16 MiB"),
    ],
)
def test_an_odd_config_json_is_one_sentence_and_a_remedy(make_model: Make, text: str, said: str) -> None:
    folder = make_model("m")
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelNotFoundError) as caught:
        read_folder(folder)
    assert said in caught.value.message
    assert caught.value.remedy


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "meta-llama/Llama-3.1-8B"}')
    text = fail(tmp_path)
    assert "adapter (LoRA) for meta-llama/Llama-3.1-8B, not a model" in text
    assert "merge" in text.lower()


def test_gguf_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    assert "GGUF" in fail(tmp_path)


def test_the_folder_above_is_answered_with_the_one_below(make_model: Make) -> None:
    folder = make_model("inner")
    assert f"Did you mean {folder}?" in fail(folder.parent)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    assert "doesn't exist" in fail(tmp_path / "none")
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in fail(tmp_path / "file")
    assert "no config.json" in fail(tmp_path)


def test_the_hubs_cache_is_understood(make_model: Make, tmp_path: Path) -> None:
    snapshots = tmp_path / "models--me--tiny" / "snapshots"
    snapshots.mkdir(parents=True)
    make_model("m").rename(snapshots / "0123abc")
    model = read_folder(tmp_path / "models--me--tiny")
    assert (model.title, model.weights[0].hub_id) == ("me/tiny", "me/tiny")


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("tokenizer_config.json", b'{"chat_template": "x"}', True),
        ("tokenizer_config.json", b"{}", False),
        ("tokenizer_config.json", b"{", False),
        ("chat_template.jinja", b"x", True),
        ("unrelated.txt", b"", False),
    ],
)
def test_a_chat_template_is_found_wherever_it_is(
    make_model: Make, name: str, data: bytes, wanted: bool
) -> None:
    folder = make_model("m")
    (folder / name).write_bytes(data)
    assert read_folder(folder).has_chat_template is wanted


def test_sentence_transformers_files_make_it_an_embedding_model(make_model: Make) -> None:
    folder = make_model("m")
    (folder / "modules.json").write_text("[]")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 512}')
    model = read_folder(folder)
    assert (model.uses, model.max_context_tokens) == (("embeddings",), 512)


def test_quantised_weights_keep_the_counts_of_the_config(make_model: Make) -> None:
    config = {**LLAMA, "quantization_config": {"quant_method": "gptq", "bits": 4}}
    model = read_folder(
        make_model("m", config, **{"model.safetensors": make_safetensors({"w": ("I32", [99], 4)})})
    )
    assert (model.weights[0].format, model.weights[0].weight_bytes) == ("gptq-int4", 396)
    assert model.architecture.total_params == LLAMA_PARAMS


def test_modelopts_own_file_tells_the_quantisation(make_model: Make) -> None:
    folder = make_model("m")
    (folder / "hf_quant_config.json").write_text('{"quantization": {"quant_algo": "NVFP4"}}')
    assert read_folder(folder).weights[0].format == "nvfp4"


def test_files_that_hold_another_number_of_parameters_than_described_are_told(make_model: Make) -> None:
    folder = make_model(
        "m", **{"model.safetensors": make_safetensors({"w": ("BF16", [2 * LLAMA_PARAMS], 2)})}
    )
    model = read_folder(folder)
    assert model.architecture.total_params == 2 * LLAMA_PARAMS
    assert "the files count" in model.assumed[-1]
