from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from curc_llm.cli.models import USES, models, render_tokens
from tests.catalogue.conftest import LLAMA, LLAMA_PARAMS, make_safetensors
from tests.cli.conftest import Run
from tests.fakes.fake_hub import FakeHub, FakeModel

WEIGHTS = make_safetensors({"w": ("BF16", [LLAMA_PARAMS], 2)})
FILES = {"config.json": json.dumps(LLAMA).encode(), "model.safetensors": WEIGHTS}


@pytest.fixture
def own(state_dir: Path, tmp_path: Path) -> Path:
    """The user's own catalogue with one tiny model."""
    path = tmp_path / ".config" / "curc-llm" / "catalogue.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"models": {"tiny": {"hub_id": "me/tiny", "config": LLAMA}}}))
    return path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state_dir: Path) -> Iterator[FakeHub]:
    with FakeHub() as hub:
        hub.models["me/tiny"] = FakeModel(dict(FILES))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        yield hub


def test_all_models_are_listed_with_what_people_choose_by(run: Run) -> None:
    result = run("models")
    heads, *rows = result.stdout.splitlines()
    assert heads.split()[:4] == ["NAME", "PARAMETERS", "CONTEXT", "WEIGHTS"]
    assert len(rows) >= 60
    row = next(row for row in rows if row.startswith("qwen3-30b-a3b-instruct-2507"))
    for words in ("30.5B (3.4B active)", "256k", "bf16", "fp8", "Apache-2.0", "chat"):
        assert words in row


def test_words_search_names_titles_ids_and_uses(run: Run) -> None:
    assert [row.split()[0] for row in run("models", "QWEN3-8B-awq").stdout.splitlines()[1:]] == ["qwen3-8b"]
    assert "qwen3-coder" in run("models", "coder", "qwen3").stdout
    assert "llama" not in run("models", "coder", "qwen3").stdout


def test_use_narrows_the_list(run: Run) -> None:
    found = json.loads(run("models", "--use", "embeddings", "--json").stdout)
    assert found
    assert all("embeddings" in model["uses"] for model in found)
    assert run("models", "--use", "magic").exit_code == 2


def test_json_has_the_figures(run: Run) -> None:
    (model,) = json.loads(run("models", "--json", "llama-3.1-8b-instruct").stdout)
    assert (model["name"], model["gated"], model["total_params"]) == (
        "llama-3.1-8b-instruct",
        True,
        8030261248,
    )
    assert model["weights"][0]["format"] == "bf16"


def test_no_match_names_the_nearest_and_fails(run: Run) -> None:
    result = run("models", "llana-3.1-8b")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'llana-3.1-8b'" in result.stderr
    assert "llama-3.1-8b-instruct" in result.stderr
    assert "--use audio" in run("models", "qwen2.5-coder", "--use", "audio").stderr


def test_the_users_own_models_are_listed_and_broken_ones_told(run: Run, own: Path) -> None:
    own.write_text(own.read_text() + "  gone:\n    folder: /no/such\n")
    result = run("models", "tiny")
    assert "tiny" in result.stdout
    assert "about" in result.stdout  # estimated
    assert "Left out" in result.stderr
    assert "/no/such" in result.stderr
    shown = run("models", "show", "gone")
    assert (shown.exit_code, "/no/such doesn't exist" in shown.stderr) == (1, True)


def test_a_catalogue_that_the_settings_name_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text(
        yaml.safe_dump({"models": {"tiny": {"hub_id": "me/t", "config": LLAMA}}})
    )
    settings = tmp_path / "settings.yml"
    settings.write_text(f"catalogue: {tmp_path}/more.yml\n")
    assert "tiny" in run("models", "-c", str(settings), "tiny").stdout
    assert "me/t" in run("models", "show", "-c", str(settings), "tiny").stdout


def test_a_slip_in_the_users_catalogue_is_told_with_its_line(run: Run, own: Path) -> None:
    own.write_text(own.read_text().replace("hub_id", "hubid"))
    result = run("models")
    assert result.exit_code == 1
    assert f"{own}, line" in result.stderr


def test_show_has_every_figure_and_its_source(run: Run) -> None:
    text = run("models", "show", "Qwen/Qwen3-8B-FP8").stdout
    for words in (
        "Qwen3 8B (qwen3-8b)",
        "40,960 tokens",
        "36 layers with 8 KV heads of 128",
        "Sources",
        "https://",
    ):
        assert words in text
    value = json.loads(run("models", "show", "qwen3-8b", "--json").stdout)
    assert value["architecture"]["num_layers"] == 36
    assert value["source_details"][value["source"]]["url"].startswith("https://")


@pytest.mark.parametrize("name", ["deepseek-v3", "qwen3-next-80b-a3b-instruct", "gemma-3-27b-it", "bge-m3"])
def test_show_tells_every_kind_of_memory(run: Run, name: str) -> None:
    result = run("models", "show", name)
    assert result.exit_code == 0, result.stderr
    assert any(w in result.stdout for w in ("latent attention", "a state of", "sliding", "an encoder"))


@pytest.mark.slow
def test_every_model_can_be_shown(run: Run) -> None:
    for model in json.loads(run("models", "--json").stdout):
        assert run("models", "show", model["name"]).exit_code == 0, model["name"]


def test_an_estimated_model_says_what_was_assumed(run: Run, own: Path) -> None:
    unknown = {**LLAMA, "model_type": "telepath"}
    own.write_text(yaml.safe_dump({"models": {"odd": {"hub_id": "me/odd", "config": unknown}}}))
    assert "was taken for a dense decoder" in run("models", "show", "odd").stdout


def test_a_folder_is_shown(run: Run, tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    assert "LlamaForCausalLM: 2 layers, 64 wide" in run("models", "show", str(tmp_path)).stdout


def test_show_of_an_unknown_model_names_the_nearest(run: Run) -> None:
    result = run("models", "show", "qwen3-8")
    assert (result.exit_code, "qwen3-8b" in result.stderr) == (1, True)
    assert run("models", "show").exit_code == 2


def test_an_id_that_nobody_entered_is_shown_from_the_hub(run: Run, hub: FakeHub) -> None:
    result = run("models", "show", "me/tiny")
    assert "LlamaForCausalLM: 2 layers, 64 wide" in result.stdout
    hub.broken = True
    away = run("models", "show", "me/tiny")
    assert (away.exit_code, "can't be looked up from here" in away.stderr) == (1, True)


def test_the_hub_is_not_asked_when_the_settings_say_offline(
    run: Run, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_OFFLINE", "true")
    assert "can't be looked up from here" in run("models", "show", "me/tiny").stderr
    assert hub.seen == []


def test_verify_tells_what_is_the_same(run: Run, own: Path, hub: FakeHub) -> None:
    result = run("models", "verify", "tiny")
    assert result.exit_code == 0
    assert result.stdout.startswith("same     tiny: me/tiny")
    assert "1 of 1 are the same" in result.stderr


def test_verify_tells_what_differs_and_fails(run: Run, own: Path, hub: FakeHub) -> None:
    own.write_text(
        yaml.safe_dump({"models": {"tiny": {"hub_id": "me/tiny", "config": {**LLAMA, "vocab_size": 99}}}})
    )
    result = run("models", "verify", "me/tiny")
    assert result.exit_code == 1
    assert "DIFFERS  tiny: me/tiny" in result.stdout
    assert "vocab_size: 99 here, 100 there" in result.stdout
    (verdict,) = json.loads(run("models", "verify", "tiny", "--json").stdout)
    assert (verdict["same"], verdict["differences"][0]["theirs"]) == (False, "100")


def test_verify_with_the_hub_out_of_reach_is_one_sentence(
    run: Run, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = run("models", "verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("Error:") == 1
    assert "http://127.0.0.1:9 can't be asked" in result.stderr


def test_verify_asks_nothing_when_the_settings_say_offline(
    run: Run, own: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURC_LLM_OFFLINE", "true")
    result = run("models", "verify", "tiny")
    assert (result.exit_code, hub.seen) == (1, [])
    assert "offline" in result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / name
        path.mkdir()
        for file, data in FILES.items():
            (path / file).write_bytes(data)
        return path

    return make


def test_verify_compares_with_a_folder(run: Run, own: Path, folder: Callable[[str], Path]) -> None:
    assert run("models", "verify", "tiny", "--folder", str(folder("any"))).exit_code == 0
    assert "same     tiny" in run("models", "verify", "--folder", str(folder("tiny"))).stdout
    wrong = run("models", "verify", "qwen3-8b", "--folder", str(folder("other")))
    assert (wrong.exit_code, "num_layers: 36 here, 2 there" in wrong.stdout) == (1, True)


def test_verify_takes_a_folder_or_its_config_json_as_the_name(
    run: Run, own: Path, folder: Callable[[str], Path]
) -> None:
    path = folder("tiny")
    for name in (path, path / "config.json"):
        result = run("models", "verify", str(name))
        assert (result.exit_code, "same     tiny" in result.stdout) == (0, True)


def test_a_folder_as_settings_file_is_one_sentence(run: Run, tmp_path: Path) -> None:
    result = run("models", "-c", str(tmp_path))
    assert result.stderr.startswith(f"Error: {tmp_path} is a folder, not a settings file.\n")


def test_verify_of_a_folder_whose_model_can_not_be_told_asks_for_it(
    run: Run, own: Path, folder: Callable[[str], Path]
) -> None:
    result = run("models", "verify", "--folder", str(folder("unheard")))
    assert (result.exit_code, "Name the model too" in result.stderr) == (1, True)
    assert run("models", "verify", "tiny", "qwen3-8b", "--folder", str(folder("two"))).exit_code == 2


def test_searching_for_the_word_of_a_command_works_too(run: Run) -> None:
    assert "'verify'" in run("models", "search", "verify").stderr
    assert run("models", "--help").stdout.count("verify") >= 1


def test_contexts_are_written_as_people_do() -> None:
    assert [render_tokens(n) for n in (512, 8192, 131072, 1048576, 10485760)] == [
        "512",
        "8k",
        "128k",
        "1M",
        "10M",
    ]


def test_the_uses_offered_are_those_of_the_schema() -> None:
    from typing import get_args

    from curc_llm.catalogue.model import Use

    assert set(get_args(Use)) == set(USES)
    assert {"search", "show", "verify"} == set(models.commands)


def test_completion_offers_names(run: Run, own: Path) -> None:
    import click

    from curc_llm.cli.models import complete_model

    argument = click.Argument(["name"])
    assert complete_model(click.Context(models), argument, "TIN") == ["tiny"]
    own.write_text("models: [")
    assert complete_model(click.Context(models), argument, "tin") == []


def test_columns_that_have_no_room_are_named() -> None:
    from curc_llm.cli.models import _left_out

    assert _left_out("NAME  PARAMETERS  CONTEXT  WEIGHTS IN GIB\nx") == ["licence", "uses"]
    assert _left_out("NAME  PARAMETERS  CONTEXT  WEIGHTS IN GIB  LICENCE  USES") == []
    assert _left_out("") == []
