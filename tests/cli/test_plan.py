from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.cli.plan_json import FIXED, make_plan_json
from curc_llm.cli.plan_screen import render_bar, render_plan, render_request
from curc_llm.plan.plan import MemorySplit
from tests.cli.conftest import Run
from tests.plan.shipped import facts_of
from tests.plan.shipped import plan as make

SPLIT = MemorySplit(
    memory_gib=80,
    outside_gib=8,
    weights_gib=40,
    activations_gib=2,
    cuda_graphs_gib=1,
    runtime_gib=1,
    kv_cache_gib=28,
)
SITE = facts_of("alpine").site


def test_a_plan_that_fits_tells_what_it_needs_gives_and_costs(run: Run) -> None:
    result = run("plan", "llama-3.1-8b-instruct", "--gpu", "l40", "--hours", "8")
    assert result.exit_code == 0
    assert result.stdout.startswith("Llama 3.1 8B Instruct on 1 x l40 at CURC Alpine: fits")
    for words in (
        "meta-llama/Llama-3.1-8B-Instruct (bf16), 15.0 GiB",
        "1 x l40 on 1 node of al40",
        "weights 15.0 | KV cache",
        "32,768 tokens",
        "SU per hour, 941 SU for 8 h",
        "--partition=al40 --qos=gpu-normal --nodes=1",
        "--gres=gpu:l40:1",
        "--time=08:00:00",
        "--max-model-len 32768",
        "Figures not checked first-hand: Llama 3.1 8B Instruct (curc-llm models verify)",
    ):
        assert words in " ".join(result.stdout.split()), words


def test_a_refusal_tells_why_and_what_would_work_and_leaves_with_3(run: Run) -> None:
    result = run("plan", "qwen2.5-72b-instruct", "--gpu", "l40", "--num-gpus", "1")
    assert result.exit_code == 3
    assert result.stdout.startswith("This can't work: Qwen2.5 72B Instruct in awq-int4 needs")
    assert "These would work, the nearest first:" in result.stdout
    command = next(
        line.strip() for line in result.stdout.splitlines() if line.strip().startswith("curc-llm plan")
    )
    again = run(*command.split()[1:])
    assert again.exit_code == 0


def test_the_json_of_both_has_the_same_keys_the_fixed_ones_first(run: Run) -> None:
    fits = run("plan", "qwen3-8b", "--json")
    refused = run("plan", "qwen3-8b", "--gpu", "mi100", "--json")
    assert (fits.exit_code, refused.exit_code) == (0, 3)
    good, bad = json.loads(fits.stdout), json.loads(refused.stdout)
    assert tuple(good)[: len(FIXED)] == FIXED
    assert list(good) == list(bad)
    assert (good["fits"], bad["fits"]) == (True, False)
    assert good["vllm_args"][:2] == ["--revision", good["revision"]] or "--max-model-len" in good["vllm_args"]
    assert bad["vllm_args"] == []
    assert bad["reason"]
    assert bad["alternatives"][0]["command"].startswith("curc-llm plan qwen3-8b --gpu ")
    assert good["su_total"] == pytest.approx(good["su_per_h"] * good["hours"])


def test_the_site_is_repeated_in_the_commands_of_alternatives(run: Run) -> None:
    result = run("plan", "llama-3.1-405b-instruct", "--site", "capella", "--num-gpus", "1", "--json")
    assert result.exit_code == 3
    commands = [a["command"] for a in json.loads(result.stdout)["alternatives"]]
    assert commands
    assert all(command.endswith(" --site capella") for command in commands)
    screen = run("plan", "llama-3.1-405b-instruct", "--site", "capella", "--num-gpus", "1")
    assert commands[0] in screen.stdout


def test_why_shows_every_formula_with_its_numbers(run: Run) -> None:
    result = run("plan", "llama-3.1-8b-instruct", "--gpu", "l40", "--why")
    assert "How this was worked out:" in result.stdout
    assert "(SU per core x cores + SU per GPU x GPUs) x QoS factor" in result.stdout
    assert "determine_available_memory" in result.stdout


def test_a_preset_brings_its_model_and_a_model_wins_over_it(run: Run) -> None:
    assert run("plan", "--preset", "small").stdout.startswith("Llama 3.1 8B Instruct on")
    assert run("plan", "qwen3-8b", "--preset", "small").stdout.startswith("Qwen3 8B on")
    nothing = run("plan")
    assert nothing.exit_code == 2
    assert "Name a MODEL" in nothing.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("nothing-70b",), 1, "no model 'nothing-70b'"),
        (("qwen3-8b", "--gpu", "h100"), 1, "Did you mean h200?"),
        (("qwen3-8b", "--partition", "aa101"), 1, "Did you mean aa100?"),
        (("qwen3-8b", "--qos", "gpu-norml"), 1, "Did you mean gpu-normal?"),
        (("qwen3-8b", "--preset", "larg"), 1, "Did you mean large?"),
        (("qwen3-8b", "--quantisation", "fp9"), 1, "Did you mean fp8?"),
        (("qwen3-8b", "--site", "alpin"), 1, "alpine"),
        (("qwen3-8b", "--num-gpus", "0"), 2, "0 is not in the range"),
        (("qwen3-8b", "--hours", "-1"), 2, "-1"),
        (("qwen3-8b", "--max-model-len", "3"), 2, "3"),
        (("qwen3-8b", "--gpu-memory-utilization", "2"), 2, "2"),
        (("--preset", "larg"), 1, "Did you mean large?"),
        (("qwen3-8b", "--kv-cache-dtype", "fp16"), 2, "'float16'"),
        (("qwen3-8b", "--seed", str(10**22)), 2, "4294967295"),
        (
            ("qwen3-8b", "--account", "a b; rm -rf /"),
            1,
            "Slurm's names have letters, digits and . _ + - only.",
        ),
        (("qwen3-8b", "--hours", "soon"), 2, "'soon' is no wall time. Write hours, such as 4"),
        (("qwen3-8b", "--hours", "inf"), 2, "Write hours"),
    ],
)
def test_bad_words_are_errors_with_the_nearest_good_one(
    run: Run, args: tuple[str, ...], code: int, words: str
) -> None:
    result = run("plan", *args)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("text", "hours"), [("4h", 4), ("04:00:00", 4), ("1-12", 36)])
def test_hours_may_be_written_as_slurm_writes_them(run: Run, text: str, hours: float) -> None:
    result = run("plan", "qwen3-8b", "--gpu", "l40", "--hours", text, "--json")
    assert json.loads(result.stdout)["hours"] == hours


def test_the_bundled_model_is_planned_by_its_name(run: Run) -> None:
    assert run("plan", "demo").stdout.startswith("curc-guide (the bundled model) on 1 x")


def test_no_more_requests_are_promised_than_the_engine_runs() -> None:
    screen = " ".join(render_plan(make("bge-m3"), SITE, 200).split())
    assert "8,192 tokens; up to 16 requests at once" in screen
    assert "tokens/s" not in screen
    large = " ".join(render_plan(make("llama-3.1-8b-instruct", gpu_type="h200"), SITE, 200).split())
    assert "up to 16 requests at once (memory would hold " in large
    few = " ".join(render_plan(make("llama-3.1-8b-instruct", gpu_type="l40"), SITE, 200).split())
    assert "requests of that length at once, or up to 16 shorter ones" in few


def test_json_holds_numbers_only() -> None:
    made = make("qwen3-8b").model_copy(update={"su_per_h": float("inf"), "su_total": float("nan")})
    values = make_plan_json(made)
    assert json.loads(json.dumps(values, allow_nan=False))["su_per_h"] is None


def test_an_entry_of_the_settings_is_a_request(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "mine.yml"
    config.write_text(
        "models:\n  mine:\n    model: qwen3-8b\n    gpu_type: a100_80gb\n    time_h: 6\n"
        "    max_model_len: 16384\n    account: ucb-general\n"
    )
    found = json.loads(run("plan", "mine", "-c", str(config), "--json").stdout)
    assert (found["model"], found["gpu_type"], found["hours"]) == ("qwen3-8b", "a100_80gb", 6)
    assert (found["max_model_len"], found["account"]) == (16384, "ucb-general")
    told = run("plan", "mine", "-c", str(config), "--hours", "2", "--json")
    assert json.loads(told.stdout)["hours"] == 2


def test_the_active_model_is_planned_when_none_is_named(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "mine.yml"
    config.write_text("active_model: mine\nmodels:\n  mine:\n    model: qwen3-8b\n")
    assert json.loads(run("plan", "-c", str(config), "--json").stdout)["model"] == "qwen3-8b"


def test_it_works_in_a_pipe_and_on_a_terminal_without_block_characters(
    spawn: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:replace")
    result = spawn("plan", "qwen3-8b", "--gpu", "l40")
    assert result.returncode == 0
    assert "[####" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_line_is_wider_than_the_screen_but_commands(columns: int) -> None:
    for made in (
        make("llama-3.1-405b-instruct"),
        make("qwen2.5-72b-instruct", gpu_type="l40", num_gpus=1),
        make("llama-3.1-70b-instruct", gpu_type="a100_80gb", num_gpus=2),
    ):
        for line in render_plan(made, SITE, columns).splitlines():
            assert len(line) <= columns or line.strip().startswith("curc-llm plan"), line


def test_the_bar_is_as_wide_as_the_memory_and_shows_what_is_too_much() -> None:
    bar, numbers, legend = render_bar(SPLIT, 40).splitlines()
    assert "  ".join(part[2:] for part in legend.split("  ")) == "weights  KV cache  work  not used"
    assert len(bar) == 42
    assert bar.count("█") + bar.count("#") == 20
    assert numbers == "weights 40.0 | KV cache 28.0 | work 4.0 | not used 8.0 of 80.0 GiB"
    over = SPLIT.model_copy(update={"weights_gib": 120.0, "kv_cache_gib": 0.0})
    bar, numbers, _ = render_bar(over, 40).splitlines()
    assert bar.endswith(">")
    assert numbers.endswith("of 80.0 GiB (52.0 too many)")


def test_slurm_is_asked_as_the_site_wants_it() -> None:
    made = make("qwen3-vl-235b-a22b-instruct", "capella", num_gpus=8, account="p_x", hours=1.5)
    request = render_request(made, facts_of("capella").site)
    assert "--account=p_x --nodes=2 --ntasks=2" in request
    assert "--gres=gpu:4 --time=01:30:00" in request
    assert render_request(made.model_copy(update={"qos": ""}), facts_of("capella").site) == ""


def test_a_model_of_the_user_s_own_file_is_planned_by_its_name(run: Run, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.yml"
    values: dict[str, Any] = {
        "version": 1,
        "models": {
            "ours": facts_of("alpine").models["qwen3-8b"].model_dump(mode="json", exclude_defaults=True)
        },
    }
    values["models"]["ours"]["title"] = "Ours"
    values["models"]["ours"] = _with_own_source(values["models"]["ours"])
    values["sources"] = {"own": {"title": "t", "url": "https://example.org", "date": "2026-11-21"}}
    catalogue.write_text(json.dumps(values))
    config = tmp_path / "mine.yml"
    config.write_text(f"catalogue: {catalogue}\n")
    result = run("plan", "ours", "-c", str(config))
    assert result.stdout.startswith("Ours on 1 x"), result.stderr


def _with_own_source(model: dict[str, Any]) -> dict[str, Any]:
    weights = [{k: v for k, v in w.items() if k != "sources"} | {"source": "own"} for w in model["weights"]]
    return {k: v for k, v in model.items() if k != "sources"} | {"source": "own", "weights": weights}


def test_a_plan_of_two_models_shows_both_parts_of_the_gpu_and_one_cost(run: Run) -> None:
    result = run("plan", "llama-3.1-8b-instruct", "--gpu", "l40", "--embed", "qwen3-embedding-0.6b")
    shown = " ".join(result.stdout.split())
    for words in (
        "| embeddings 4.1 | not used",
        "Embeddings Qwen/Qwen3-Embedding-0.6B (bf16) on the same GPU, started after the chat model;",
        "weights 1.1, KV cache 1.8, work 0.8 GiB; texts of up to 8,192 tokens",
        "--runner pooling --convert embed",
        "--kv-cache-memory-bytes 1880883200",
    ):
        assert words in shown, words
    assert shown.split("Others:")[0].count("SU per hour") == 1


def test_the_json_of_two_models_lists_the_second_plan(run: Run) -> None:
    words = ("plan", "llama-3.1-8b-instruct", "--gpu", "l40", "--embed", "bge-m3", "--json")
    value = json.loads(run(*words).stdout)
    (beside,) = value["beside"]
    assert (beside["model"], beside["device_ids"], beside["su_per_h"]) == ("bge-m3", [0], 0.0)
    assert "--runner" in beside["vllm_args"]
    assert value["memory"]["beside_gib"] > 0
