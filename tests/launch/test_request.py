"""What a person asks for becomes a spec for a site, the same one from wherever it is asked."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from curc_llm.errors import LaunchError, ModelDoesNotFitError, ModelNotFoundError
from curc_llm.launch.other_spec import make_replica_spec, make_successor_spec
from curc_llm.launch.request import SessionRequest, make_repeated_spec, make_slurm_spec
from curc_llm.launch.site_plan import RefusedError
from curc_llm.plan.facts import Facts
from curc_llm.plan.request import PlanRequest
from curc_llm.settings import Settings, load_settings
from curc_llm.sites.load import SITES_DIR
from curc_llm.sites.network import Network
from curc_llm.spec import DEMO_MODEL_DIR, LaunchSpec


def ask(
    settings: Settings, facts: Facts, model: str = "llama-3.1-8b-instruct", **asked: object
) -> LaunchSpec:
    own = {k: asked.pop(k) for k in list(asked) if k in SessionRequest.model_fields}
    request = SessionRequest(plan=PlanRequest(model=model, **asked), **own)  # type: ignore[arg-type]
    return make_slurm_spec(request, settings, facts=facts)


def test_a_request_becomes_a_spec_with_everything_that_slurm_is_asked_for(
    settings: Settings, alpine: Facts
) -> None:
    spec = ask(settings, alpine, gpu_type="l40", num_gpus=1, hours=2, account="ucb-general")
    assert spec.slurm is not None
    assert (spec.slurm.partition, spec.slurm.gres, spec.slurm.account) == ("al40", "gpu:l40:1", "ucb-general")
    assert spec.wall_time_s == 7200
    assert spec.site == "alpine"
    assert spec.session_id.startswith("slurm-")
    assert spec.session_dir == settings.state_dir / "sessions" / spec.session_id
    assert spec.origins[0].plan is not None
    assert spec.origins[0].plan.su_total


def test_the_job_is_told_of_a_site_file_of_the_centre_s_own(settings: Settings, tmp_path: Path) -> None:
    file = Path(shutil.copy(SITES_DIR / "alpine.yml", tmp_path / "ours.yml"))
    own = settings.model_copy(update={"site": str(file)})
    spec = make_slurm_spec(SessionRequest(plan=PlanRequest(model="demo", hours=1)), own)
    assert (spec.site, spec.site_file) == ("alpine", str(file))


def test_what_only_the_node_knows_is_left_open(settings: Settings, alpine: Facts) -> None:
    spec = ask(settings, alpine)
    assert (spec.bind_host, spec.advertise_host, spec.engine_python) == ("0.0.0.0", "", "")


def test_a_spec_survives_its_file(settings: Settings, alpine: Facts) -> None:
    spec = ask(settings, alpine, reservation="class1", mail_on_ready=True, mail_user="a@b.edu", requeue=True)
    assert LaunchSpec.model_validate_json(spec.model_dump_json()) == spec
    assert spec.slurm is not None
    assert (spec.slurm.reservation, spec.slurm.requeue) == ("class1", True)
    assert (spec.mail_on_ready, spec.mail_user) == (True, "a@b.edu")


def test_the_job_is_told_of_the_sites_network_in_a_repeat_as_it_is_now(
    settings: Settings, alpine: Facts
) -> None:
    site = alpine.site.model_copy(update={"network": Network(source="hardware", interface="hsn")})
    facts = replace(alpine, site=site)
    spec = ask(settings, facts)
    assert spec.network.interface == "hsn"
    assert make_repeated_spec(spec, settings, alpine).network == Network()


def test_the_bundled_model_is_planned_like_any_other(settings: Settings, alpine: Facts) -> None:
    spec = ask(settings, alpine, "demo", hours=1, idle_stop_min=5, max_model_len=512)
    assert spec.engines[0].model == str(DEMO_MODEL_DIR)
    assert spec.engines[0].max_model_len == 512
    assert spec.idle_stop_min == 5
    assert spec.slurm is not None
    assert spec.slurm.gres.endswith(":1")


def test_what_cannot_work_is_refused_with_launches_that_do(settings: Settings, alpine: Facts) -> None:
    with pytest.raises(RefusedError, match="405B") as refused:
        ask(settings, alpine, "llama-3.1-405b-instruct", gpu_type="l40", num_gpus=1)
    assert isinstance(refused.value, ModelDoesNotFitError)
    assert "4 x h200" in refused.value.remedy
    assert refused.value.plan.alternatives
    assert not settings.state_dir.exists()


def test_an_unknown_model_names_the_nearest(settings: Settings, alpine: Facts) -> None:
    with pytest.raises(ModelNotFoundError) as error:
        ask(settings, alpine, "llama3.1-8b")
    assert "llama-3.1-8b-instruct" in error.value.remedy


@pytest.mark.parametrize(
    "value",
    [{"reservation": "a b"}, {"reservation": "$(id)"}, {"mail_user": "a@b\n--x"}, {"idle_stop_min": -1}],
)
def test_values_that_slurm_could_not_mean_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SessionRequest(plan=PlanRequest(model="demo"), **value)  # type: ignore[arg-type]


def test_an_entry_of_the_settings_says_how_its_model_is_served(tmp_path: Path, alpine: Facts) -> None:
    file = tmp_path / "c.yml"
    file.write_text("models:\n  mine:\n    model: qwen3-8b\n    max_model_len: 4096\n    gpu_type: l40\n")
    settings = load_settings(file, {"HOME": str(tmp_path)})
    spec = ask(settings, alpine, "mine", hours=3)
    assert spec.engines[0].served_model_name == "mine"
    assert spec.engines[0].max_model_len == 4096
    assert spec.slurm is not None
    assert spec.slurm.partition == "al40"
    assert spec.wall_time_s == 3 * 3600


def test_the_site_that_is_this_machine_has_no_queue(tmp_path: Path) -> None:
    settings = load_settings(environ={"HOME": str(tmp_path)}, flags={"site": "local"})
    with pytest.raises(LaunchError, match="no Slurm"):
        make_slurm_spec(SessionRequest(plan=PlanRequest(model="demo")), settings)


def test_a_repeat_asks_for_the_same_again(settings: Settings, alpine: Facts) -> None:
    old = ask(settings, alpine, gpu_type="l40", num_gpus=2, hours=2, reservation="r1", idle_stop_min=7)
    new = make_repeated_spec(old, settings, alpine)
    assert (new.slurm, new.engines, new.wall_time_s) == (old.slurm, old.engines, old.wall_time_s)
    assert (new.idle_stop_min, new.repeats) == (7, old.session_id)
    assert new.session_id != old.session_id
    assert new.session_dir.name == new.session_id
    assert (new.bind_host, new.advertise_host) == ("0.0.0.0", "")


def test_a_replica_or_successor_that_is_repeated_is_a_session_of_its_own(
    settings: Settings, alpine: Facts
) -> None:
    old = ask(settings, alpine, gpu_type="l40", num_gpus=1, hours=2)
    replica = make_replica_spec(old, 1800).model_copy(update={"wall_time_s": old.wall_time_s})
    new = make_repeated_spec(replica, settings, alpine)
    assert (new.parent, new.has_chat, new.idle_stop_min) == ("", True, settings.idle_stop_min)
    successor = make_repeated_spec(make_successor_spec(old, 3600), settings, alpine)
    assert (successor.predecessor, successor.idle_stop_min) == ("", old.idle_stop_min)


def test_what_ran_outside_slurm_or_elsewhere_is_not_repeated_here(settings: Settings, alpine: Facts) -> None:
    old = ask(settings, alpine)
    with pytest.raises(LaunchError, match="no Slurm job"):
        make_repeated_spec(old.model_copy(update={"slurm": None}), settings, alpine)
    with pytest.raises(LaunchError, match="capella"):
        make_repeated_spec(old.model_copy(update={"site": "capella"}), settings, alpine)


def test_a_repeat_of_what_the_site_no_longer_allows_is_refused(settings: Settings, alpine: Facts) -> None:
    old = ask(settings, alpine, gpu_type="l40", num_gpus=1, hours=2)
    with pytest.raises(ModelDoesNotFitError):
        make_repeated_spec(old.model_copy(update={"wall_time_s": 24.0 * 3600 * 30}), settings, alpine)


def test_a_downloaded_model_is_planned_by_its_own_numbers(settings: Settings, alpine: Facts) -> None:
    from curc_llm.launch.site_plan import find_more_models
    from tests.launch.test_planning import CONFIG

    cache = settings.hf_home / "hub" / "models--me--mine"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("abc")
    snapshot = cache / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(CONFIG))
    header = b'{"w": {"dtype": "BF16", "shape": [512, 1024], "data_offsets": [0, 1048576]}}'
    data = len(header).to_bytes(8, "little") + header + bytes(1048576)
    (snapshot / "model.safetensors").write_bytes(data)
    spec = ask(settings, find_more_models(alpine, settings), "me/mine", gpu_type="l40")
    assert spec.engines[0].model == "me/mine"
    assert not spec.engines[0].is_local


def test_a_chat_and_an_embedding_model_become_two_engines_of_one_job(
    settings: Settings, alpine: Facts
) -> None:
    alone = ask(settings, alpine, gpu_type="l40", num_gpus=1)
    spec = ask(settings, alpine, gpu_type="l40", num_gpus=1, embed="qwen3-embedding-0.6b")
    chat, embed = spec.engines
    assert (chat.served_model_name, embed.served_model_name) == (
        "llama-3.1-8b-instruct",
        "qwen3-embedding-0.6b",
    )
    assert (chat.runner, embed.runner) == ("generate", "pooling")
    assert (chat.device_ids, embed.device_ids) == ((), (0,))
    assert embed.kv_cache_memory_bytes == 1880883200
    assert spec.slurm is not None
    assert alone.slurm is not None
    assert spec.slurm.gres == alone.slurm.gres == "gpu:l40:1"
    first, second = spec.origins
    assert first.plan is not None
    assert second.plan is not None
    assert first.plan.beside == (second.plan,)
    assert (second.wanted, second.request) == ("qwen3-embedding-0.6b", None)


def test_settings_of_one_model_dont_undo_the_parts_of_two(tmp_path: Path, alpine: Facts) -> None:
    config = tmp_path / "settings.yml"
    config.write_text(
        "models:\n"
        "  chat:\n    model: qwen3-8b\n    gpu_memory_utilization: 0.85\n"
        "  vectors:\n    model: bge-m3\n    gpu_memory_utilization: 0.9\n    tensor_parallel_size: 2\n"
    )
    settings = load_settings(config, {"HOME": str(tmp_path)}, {"offline": True})
    spec = ask(settings, alpine, "chat", embed="vectors", gpu_type="l40")
    chat, embed = spec.engines
    assert (chat.served_model_name, embed.served_model_name) == ("chat", "vectors")
    assert embed.model == "BAAI/bge-m3"
    assert embed.tensor_parallel_size == 1
    assert chat.gpu_memory_utilization is not None
    assert embed.gpu_memory_utilization is not None
    assert chat.gpu_memory_utilization + embed.gpu_memory_utilization < 0.85


def test_both_bundled_models_can_be_launched_together(settings: Settings, alpine: Facts) -> None:
    spec = ask(settings, alpine, "demo", embed="demo-embed", hours=1)
    assert [(e.served_model_name, e.runner) for e in spec.engines] == [
        ("curc-guide", "generate"),
        ("demo-embed", "pooling"),
    ]


def test_a_job_with_two_models_is_repeated_as_it_was(settings: Settings, alpine: Facts) -> None:
    old = ask(settings, alpine, gpu_type="l40", embed="qwen3-embedding-0.6b")
    new = make_repeated_spec(old, settings, alpine)
    assert (new.engines, new.slurm, new.origins) == (old.engines, old.slurm, old.origins)


def test_a_model_beside_another_may_run_its_own_code_only_when_allowed(
    settings: Settings, alpine: Facts
) -> None:
    with pytest.raises(LaunchError, match="needs Python code"):
        ask(settings, alpine, gpu_type="l40", embed="nomic-embed-text-v1.5")
