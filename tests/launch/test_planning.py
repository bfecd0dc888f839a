"""What is asked is planned for this machine before anything starts; what can't fit is refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curc_llm.catalogue.load import load_catalogue
from curc_llm.errors import LaunchError, ModelDoesNotFitError, ModelNotFoundError, PlanError
from curc_llm.launch import planning
from curc_llm.launch.planning import Planned, check_repeat, plan_engines
from curc_llm.plan.facts import Facts, make_facts_of
from curc_llm.plan.presets import load_presets
from curc_llm.settings import Settings, load_settings
from curc_llm.sites.load import LOCAL, load_cards
from curc_llm.sites.site import Account, Billing, GpuType, Partition, Runtime, Site, Storage
from curc_llm.spec import make_launch_spec

A100 = "a100-80gb-sxm"
# As the hub publishes it; small enough to plan with, and of an architecture that everybody knows.
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": True,
}


def make_site(card: str, count: int) -> Site:
    """A machine with these GPUs, as `load_site("local")` makes it."""
    cards = load_cards()
    gpu = GpuType(card=card, gpus_per_node=count, max_cores_per_gpu=16, source="test")
    partition = Partition(
        nodes=1,
        gpus_per_node=count,
        cores_per_node=64,
        memory_per_core_gib=8,
        max_nodes_per_job=1,
        gpu_types={card: gpu},
        source="test",
    )
    storage = Storage(state_dir="/s", cache_dir="/c", source="test")
    return Site(
        name=LOCAL,
        title="this machine (test)",
        sources={},
        account=Account(source="test"),
        billing=Billing(source="test"),
        storage=storage,
        runtime=Runtime(source="test"),
        qos={},
        partitions={LOCAL: partition},
        cards={card: cards[card]},
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environ={"HOME": str(tmp_path)})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Gives this machine so many A100 with 80 GB."""

    def have(count: int) -> None:
        def load(settings: Settings, site: str) -> Facts:
            assert site == LOCAL
            return make_facts_of(
                make_site(A100, count), load_catalogue(settings.catalogue), load_presets(), settings.defaults
            )

        monkeypatch.setattr(planning, "load_facts", load)

    return have


def plan(settings: Settings, model: str, **given: Any) -> Planned:
    return plan_engines(settings, (model,), given, device="cuda")


def write_model(folder: Path, config: dict[str, Any] = CONFIG, num_params: int = 100) -> Path:
    """A folder with a config.json and one whole safetensors file."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensor = {"w": {"dtype": "BF16", "shape": [num_params], "data_offsets": [0, 2 * num_params]}}
    header = json.dumps(tensor).encode()
    data = struct.pack("<Q", len(header)) + header + bytes(2 * num_params)
    (folder / "model.safetensors").write_bytes(data)
    return folder


def test_the_bundled_model_needs_no_plan(settings: Settings) -> None:
    planned = plan(settings, "demo")
    assert (planned.origins[0].plan, planned.site, planned.notes) == (None, "", ())


def test_a_model_gets_as_many_gpus_as_it_needs(settings: Settings, machine: Callable[[int], None]) -> None:
    machine(4)
    planned = plan(settings, "Qwen/Qwen3-32B", quantisation="bf16")
    found = planned.origins[0].plan
    assert found is not None
    assert found.fits
    spec = make_launch_spec(
        settings, ("Qwen/Qwen3-32B",), device="cuda", engine_python="python", origins=planned.origins
    )
    assert spec.engines[0].tensor_parallel_size == found.tensor_parallel_size
    assert spec.engines[0].max_model_len == found.max_model_len
    assert spec.engines[0].reasoning_parser == "qwen3"
    assert (planned.site, len(planned.facts_digest)) == (LOCAL, 16)


def test_what_cant_fit_is_refused_with_what_to_type_instead(
    settings: Settings, machine: Callable[[int], None]
) -> None:
    machine(1)
    with pytest.raises(ModelDoesNotFitError) as caught:
        plan(settings, "qwen3-235b-a22b-instruct-2507", quantisation="bf16")
    assert "GiB" in caught.value.message
    machine(1)
    with pytest.raises(ModelDoesNotFitError) as caught:
        plan(settings, "Qwen/Qwen3-32B", max_model_len=40960)
    assert "--max-model-len" in caught.value.remedy or "--quantisation" in caught.value.remedy


def test_the_id_of_one_quantisation_isnt_exchanged_for_another(
    settings: Settings, machine: Callable[[int], None]
) -> None:
    machine(4)
    found = plan(settings, "Qwen/Qwen3-32B-AWQ").origins[0].plan
    assert found is not None
    assert (found.hub_id, found.quantisation) == ("Qwen/Qwen3-32B-AWQ", "awq-int4")


def test_a_short_name_is_told_what_it_stands_for(settings: Settings, machine: Callable[[int], None]) -> None:
    machine(1)
    assert "qwen3-8b: Qwen/Qwen3-8B is served (bf16)." in plan(settings, "qwen3-8b").notes


def test_a_context_beyond_the_models_own_is_lowered_and_told(
    settings: Settings, machine: Callable[[int], None]
) -> None:
    machine(1)
    planned = plan(settings, "qwen3-8b", max_model_len=200_000)
    found = planned.origins[0].plan
    assert found is not None
    assert found.max_model_len == 40960
    assert any("lowered from 200,000 to 40,960 tokens" in note for note in planned.notes)


def test_several_models_share_the_gpus_memory(settings: Settings, machine: Callable[[int], None]) -> None:
    machine(1)
    planned = plan_engines(settings, ("qwen3-8b", "qwen3-4b"), {}, device="cuda")
    shares = [o.plan and o.plan.vllm_fields["gpu_memory_utilization"] for o in planned.origins]
    assert shares == [0.45, 0.45]


def test_an_unknown_hub_id_goes_on_and_is_told(settings: Settings) -> None:
    planned = plan(settings, "org/nobody-knows-it")
    assert planned.origins[0].plan is None
    (note,) = planned.notes
    assert note.startswith("org/nobody-knows-it: Whether it fits can't be told before it runs")


def test_a_downloaded_model_is_judged_by_its_files(
    settings: Settings, machine: Callable[[int], None]
) -> None:
    machine(1)
    cache = settings.hf_home / "hub" / "models--org--mine"
    write_model(cache / "snapshots" / "abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    found = plan(settings, "org/mine").origins[0].plan
    assert found is not None
    assert (found.hub_id, found.folder, found.fits) == ("org/mine", "", True)


def test_a_revision_of_the_catalogue_gives_way_to_what_is_downloaded(
    settings: Settings, machine: Callable[[int], None]
) -> None:
    machine(4)
    pinned = plan(settings, "Qwen/Qwen3-32B-AWQ").origins[0].plan
    assert pinned is not None
    cache = settings.hf_home / "hub" / "models--Qwen--Qwen3-32B-AWQ"
    write_model(cache / "snapshots" / "abc")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    found = plan(settings, "Qwen/Qwen3-32B-AWQ").origins[0].plan
    assert found is not None
    assert (pinned.revision is not None, found.revision) == (True, None)


def test_a_word_that_is_no_model_is_told_the_nearest_names(settings: Settings) -> None:
    with pytest.raises(ModelNotFoundError, match="qwen3-8b"):
        plan(settings, "qwen3-8bx")


def test_a_folder_of_an_unknown_kind_goes_on_but_a_broken_one_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    odd = write_model(tmp_path / "odd", {"architectures": ["NewForCausalLM"]})
    assert plan(settings, str(odd)).origins[0].plan is None
    (odd / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}')
    with pytest.raises(ModelNotFoundError, match=r"model-2\.safetensors"):
        plan(settings, str(odd))


def test_a_models_own_code_runs_only_when_somebody_said_so(
    tmp_path: Path, machine: Callable[[int], None]
) -> None:
    machine(1)
    own = tmp_path / ".config" / "curc-llm"
    own.mkdir(parents=True)
    (own / "catalogue.yml").write_text("models:\n  qwen3-8b:\n    trust_remote_code: true\n")
    settings = load_settings(environ={"HOME": str(tmp_path)})
    with pytest.raises(LaunchError, match="trust_remote_code: true"):
        plan(settings, "qwen3-8b")
    allowed = load_settings(environ={"HOME": str(tmp_path), "CURC_LLM_TRUST_REMOTE_CODE": "1"})
    assert plan(allowed, "qwen3-8b").origins[0].plan is not None


def test_values_that_make_no_sense_are_refused(settings: Settings, machine: Callable[[int], None]) -> None:
    machine(1)
    with pytest.raises(PlanError):
        plan(settings, "qwen3-8b", num_gpus=-1)
    with pytest.raises(PlanError, match="preset"):
        plan(settings, "qwen3-8b", preset="no-such-preset")


def test_without_a_gpu_nothing_is_said_of_gpus(settings: Settings) -> None:
    given = {"tensor_parallel_size": 2, "num_gpus": 2, "gpu_memory_utilization": 0.5, "max_model_len": 1024}
    planned = plan_engines(settings, ("qwen3-0.6b",), given, device="cpu")
    request = planned.origins[0].request
    assert request is not None
    assert (request.tensor_parallel_size, request.num_gpus, request.max_model_len) == (None, None, 1024)


def test_a_repeat_that_cant_fit_is_refused_as_it_was_planned(
    settings: Settings, machine: Callable[[int], None]
) -> None:
    machine(4)
    planned = plan(settings, "qwen3-32b", tensor_parallel_size=4)
    spec = make_launch_spec(
        settings, ("qwen3-32b",), device="cuda", engine_python="python", origins=planned.origins
    )
    check_repeat(spec, settings)
    machine(2)
    with pytest.raises(ModelDoesNotFitError):
        check_repeat(spec, settings)
