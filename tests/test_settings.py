"""Settings come from defaults, files, environment and flags, in that order; mistakes name their line."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
import yaml

from curc_llm.errors import SettingsError
from curc_llm.settings import ModelSettings, Settings, load_settings

EXAMPLE = Path(__file__).parents[1] / "docs" / "settings.example.yml"


def load(tmp_path: Path, text: str = "", config: str = "", flags=None, **environ: str) -> Settings:
    """Settings of a user whose own file holds `text`, with `-c` a file that holds `config`."""
    own = tmp_path / ".config" / "curc-llm" / "config.yml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(text)
    named = tmp_path / "named.yml"
    named.write_text(config)
    return load_settings(named if config else None, {"HOME": str(tmp_path), **environ}, flags)


def test_without_any_setting_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.defaults.gpu_memory_utilization == 0.90
    assert settings.defaults.max_model_len == 32768
    assert settings.defaults.max_num_seqs == 16
    assert settings.idle_stop_min == 30
    assert settings.state_dir == tmp_path / ".local/state/curc-llm"
    assert settings.hf_home == tmp_path / ".cache/curc-llm/huggingface"


def test_the_later_source_wins(tmp_path: Path) -> None:
    sources = {"text": "idle_stop_min: 1\nport_min: 1000\noffline: true\nheartbeat_s: 2"}
    sources["config"] = "idle_stop_min: 2\nport_min: 2000\noffline: false"
    settings = load(
        tmp_path, **sources, flags={"idle_stop_min": 4}, CURC_LLM_IDLE_STOP_MIN="3", CURC_LLM_PORT_MIN="3000"
    )
    assert (settings.idle_stop_min, settings.port_min, settings.offline, settings.heartbeat_s) == (
        4,
        3000,
        False,
        2,
    )


def test_model_defaults_and_models_merge_field_by_field(tmp_path: Path) -> None:
    text = "models:\n  big:\n    model: org/big\n    time_h: 8\ndefaults:\n  max_num_seqs: 4"
    config = "models:\n  big:\n    partition: aa100\n  small:\n    model: org/small\nactive_model: small"
    settings = load(tmp_path, text, config, CURC_LLM_MAX_MODEL_LEN="4096")
    assert settings.models["big"] == ModelSettings(model="org/big", time_h=8, partition="aa100")
    assert settings.active_model == "small"
    assert (settings.defaults.max_num_seqs, settings.defaults.max_model_len) == (4, 4096)
    assert settings.defaults.gpu_memory_utilization == 0.90


@pytest.mark.parametrize("empty", ["port_min:", "port_min: ''", "port_min: null"])
def test_empty_means_automatic(tmp_path: Path, empty: str) -> None:
    assert load(tmp_path, empty, CURC_LLM_PORT_MAX="", flags={"idle_stop_min": None}).port_min is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("idle_stop_min: 5\nstate_dirr: /x", "config.yml, line 2: there is no setting named `state_dirr`"),
        (
            "models:\n  a:\n    model: x\n    extra_args: --foo",
            "line 4: there is no setting named `models.a.extra_args`",
        ),
        ("\n\nidle_stop_min: soon", "line 3: `idle_stop_min` can't be 'soon'"),
        ("defaults:\n  gpu_memory_utilization: 90", "line 2: `defaults.gpu_memory_utilization` can't be 90"),
        ("port_min: 70000", "it must be at most 65,535"),
        ("defaults:\n  time_h: 4:00:00", "line 2: `4:00:00` is a time of the clock"),
        ("idle_stop_min: .inf", "line 1: `.inf` is no number"),
        ("idle_stop_min: inf", "line 1: `idle_stop_min` can't be 'inf': it must be a number"),
        ("num_gpus: 2", "line 1: there is no setting named `num_gpus`. `num_gpus` is a setting of models: "),
        ("num_gpus: 2", "it belongs below `defaults:`, or below one of `models:`"),
        ("defaults:\n  site: alpine", "`site` isn't a setting of models: it belongs at the beginning of a"),
        ("idle_stop_mins: 2", "Did you mean `idle_stop_min`?"),
        ("- a list", "must hold `name: value` lines"),
        ("a: [1", "isn't YAML"),
        ("device: tpu", "'cuda' or 'cpu'"),
        ("offline: true\noffline: false", "config.yml, line 2: `offline` stands twice"),
        ("defaults:\n  quantisation: FP8!", "line 2: `defaults.quantisation` can't be 'FP8!'"),
        ("defaults:\n  num_nodes: 0", "it must be at least 1"),
        ("models:\n  a:\n    seed: -1", "line 3: `models.a.seed` can't be -1"),
        ("catalogue: 3", "line 1: `catalogue` can't be 3"),
        ("models:\n  a:\n    quantization: 'fp8; rm -rf'", "line 3"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_the_line_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)


def test_a_mistake_in_a_variable_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CURC_LLM_MAX_NUM_SEQS.*'many'"):
        load(tmp_path, CURC_LLM_MAX_NUM_SEQS="many")


def test_variables_of_the_centre_are_not_taken_for_ours(tmp_path: Path) -> None:
    assert load(tmp_path, CURC_LLM_DIR="/curc/llm") == load(tmp_path)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Check the path after -c"):
        load_settings(tmp_path / "none.yml", {"HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match="can't be read"):
        load(tmp_path, CURC_LLM_CONFIG=str(tmp_path / "none.yml"))


def test_values_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Swap them"):
        load(tmp_path, "port_min: 9000\nport_max: 8000")
    with pytest.raises(SettingsError, match="Models there: a"):
        load(tmp_path, "active_model: b\nmodels:\n  a:\n    model: org/a")


def test_folders_may_use_variables_and_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_SCRATCH", "/scratch/alpine/me")
    settings = load(tmp_path, "cache_dir: $USER_SCRATCH/cache\nstate_dir: /projects/me")
    assert (settings.cache_dir, settings.state_dir) == (
        Path("/scratch/alpine/me/cache"),
        Path("/projects/me"),
    )


def test_a_folder_without_user_set_is_the_callers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USER", raising=False)
    me = pwd.getpwuid(os.getuid()).pw_name
    assert load(tmp_path, "state_dir: /projects/$USER/x").state_dir == Path(f"/projects/{me}/x")


def test_a_folder_with_a_variable_that_isnt_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"state_dir is /p/\$NOWHERE_SET/x, but \$NOWHERE_SET isn't set here"
    ):
        load(tmp_path, "state_dir: /p/$NOWHERE_SET/x")


def test_the_site_is_alpine_unless_another_is_named(tmp_path: Path) -> None:
    assert load(tmp_path).site == "alpine"
    assert load(tmp_path, "site: capella").site == "capella"
    assert load(tmp_path, "site: capella", CURC_LLM_SITE="/etc/our-site.yml").site == "/etc/our-site.yml"
    assert load(tmp_path, "site:").site == "alpine"


def test_catalogues_are_one_path_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert load(tmp_path).catalogue == ()
    assert load(tmp_path, "catalogue: /a.yml").catalogue == (Path("/a.yml"),)
    assert load(tmp_path, "catalogue: [~/a.yml, /b.yml]").catalogue == (
        Path("/home/me/a.yml"),
        Path("/b.yml"),
    )
    assert load(tmp_path, CURC_LLM_CATALOGUE="/a.yml:/b.yml").catalogue == (Path("/a.yml"), Path("/b.yml"))
    assert load(tmp_path, flags={"catalogue": "/c.yml"}).catalogue == (Path("/c.yml"),)


def test_the_users_own_catalogue_is_found_without_being_named(tmp_path: Path) -> None:
    load(tmp_path)
    own = tmp_path / ".config" / "curc-llm" / "catalogue.yml"
    own.write_text("models: {}\n")
    assert load(tmp_path).catalogue == (own,)
    assert load(tmp_path, "catalogue: /a.yml").catalogue == (own, Path("/a.yml"))


def test_how_a_model_is_spread_and_planned_can_be_set_per_model_and_by_default(tmp_path: Path) -> None:
    text = "models:\n  a:\n    preset: low-latency\n    quantisation: awq-int4\n    pipeline_parallel_size: 2"
    settings = load(tmp_path, text, CURC_LLM_PRESET="batch", CURC_LLM_ENABLE_EXPERT_PARALLEL="true")
    assert settings.models["a"].preset == "low-latency"
    assert settings.models["a"].quantisation == "awq-int4"
    assert settings.models["a"].pipeline_parallel_size == 2
    assert (settings.defaults.preset, settings.defaults.enable_expert_parallel) == ("batch", True)


def test_a_mistake_in_a_flag_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="The settings: `idle_stop_min` can't be 'soon'"):
        load(tmp_path, flags={"idle_stop_min": "soon"})


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n") == load(tmp_path)


def test_the_example_shows_every_setting_and_can_be_used(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    shown = yaml.safe_load(text)
    assert set(shown) == set(Settings.model_fields)
    assert set(next(iter(shown["models"].values()))) == set(ModelSettings.model_fields)
    load(tmp_path, text)
