"""Settings: packaged defaults, then the user's file, then `-c FILE`, then `CURC_LLM_*`, then flags.

Built once and passed down; never read at import. An empty value always means "choose for me".
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from curc_llm.errors import SettingsError
from curc_llm.factfile import explain, line_of, read_yaml
from curc_llm.variables import find_unset, replace_variables

ENV_PREFIX = "CURC_LLM_"
KIND = "setting"  # what a name in a settings file stands for, in errors
Port = Field(default=None, ge=0, le=65535)
# Of vLLM's names (vllm/config/cache.py, CacheDType) those that aren't for one kind of GPU or model alone.
KvCacheDtype = Literal["auto", "bfloat16", "float16", "fp8", "fp8_e4m3", "fp8_e5m2"]
# vllm/config/lora.py, MaxLoRARanks.
LoraRank = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]


class ModelSettings(BaseModel):
    """How one model is served. Every field may be empty: then the default, or an automatic choice, is used.

    Names are vLLM's and Slurm's own. There is deliberately no field for free-form engine flags.

    Args:
        model: Hugging Face id, or a folder with the model.
        revision: git revision on the hub, best a commit hash.
        served_model_name: what the API calls the model; empty means the settings entry's name.
        runner: `generate` for chat and completion, `pooling` for embeddings.
        max_model_len: context in tokens; the model's own limit is never exceeded.
        max_num_seqs: how many requests run at once.
        max_num_batched_tokens: tokens of one forward pass, over all requests.
        gpu_memory_utilization: share of each GPU's memory that vLLM may use, 0 to 1.
        quantization: vLLM's own name, where it can't be read from the model.
        quantisation: which of the catalogue's weights, such as `fp8` or `awq-int4`; `online-fp8` for BF16
            weights that vLLM turns into FP8 while it loads them.
        preset: a goal from presets.yml, from which the planner chooses what is left empty.
        tensor_parallel_size, pipeline_parallel_size, data_parallel_size, enable_expert_parallel: how the
            model is spread over GPUs; best left to the planner.
        seed: of the sampling, for runs that can be repeated.
        adapters: LoRA adapters to serve with the model: a name, and its folder or Hugging Face id.
        max_loras: how many adapters one batch may use; also makes room for adapters that are added later.
        max_lora_rank: the largest rank that can be loaded, of those that vLLM has.
        num_gpus, num_nodes: of the whole launch.
        time_h: wall time in hours.
        mem_per_gpu_gib: host memory per GPU in GiB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    model: str | None = None
    revision: str | None = None
    served_model_name: str | None = None
    runner: Literal["generate", "pooling"] | None = None
    max_model_len: int | None = Field(default=None, ge=16)
    max_num_seqs: int | None = Field(default=None, ge=1)
    max_num_batched_tokens: int | None = Field(default=None, ge=1)
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    dtype: Literal["auto", "bfloat16", "float16", "float32"] | None = None
    quantization: str | None = Field(default=None, pattern=r"^[a-z0-9_-]+$")
    quantisation: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    preset: str | None = None
    kv_cache_dtype: KvCacheDtype | None = None
    tensor_parallel_size: int | None = Field(default=None, ge=1)
    pipeline_parallel_size: int | None = Field(default=None, ge=1)
    data_parallel_size: int | None = Field(default=None, ge=1)
    enable_expert_parallel: bool | None = None
    tool_call_parser: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")
    reasoning_parser: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")
    chat_template: str | None = None
    trust_remote_code: bool | None = None
    enforce_eager: bool | None = None
    seed: int | None = Field(default=None, ge=0)
    adapters: dict[str, str] | None = None
    max_loras: int | None = Field(default=None, ge=1, le=64)
    max_lora_rank: LoraRank | None = None
    port: int | None = Port
    time_h: float | None = Field(default=None, gt=0)
    partition: str | None = None
    qos: str | None = None
    account: str | None = None
    gpu_type: str | None = None
    num_gpus: int | None = Field(default=None, ge=0)
    num_nodes: int | None = Field(default=None, ge=1)
    cpus_per_task: int | None = Field(default=None, ge=1)
    mem_per_gpu_gib: float | None = Field(default=None, gt=0)


class Settings(BaseModel):
    """All settings of one user on one machine.

    Args:
        state_dir: sessions, chats and logs; empty means $XDG_STATE_HOME/curc-llm.
        cache_dir: downloaded models and compiled code; empty means $XDG_CACHE_HOME/curc-llm.
        hf_home: Hugging Face's folder; empty means HF_HOME, else below cache_dir.
        site: the centre whose GPUs, limits and prices count: a name that `curc-llm site ls` lists, or a site
            file. A centre other than Alpine sets CURC_LLM_SITE for everyone, for example in its module file;
            `local` is the machine itself.
        catalogue: catalogue files besides the shipped one, the later overriding the earlier; a path or a
            list, in CURC_LLM_CATALOGUE with `:` between. catalogue.yml beside the user's config.yml comes
            first without being named.
        active_model: the entry of `models` that is served when none is named.
        models: the user's own entries, by name.
        defaults: what every model starts from.
        device: `cuda`, `cpu`, or empty for what this machine has.
        engine_python: the Python that has vLLM; empty means this one.
        bind_host: the gateway's address; empty means 127.0.0.1 outside Slurm and all addresses in a job.
        port_min, port_max: range for the gateway's port; both empty means any free port.
        idle_stop_min: minutes without a request after which the session ends; 0 for never.
        start_timeout_min: how long an engine may take to become ready, in minutes.
        max_body_mib: largest request that is accepted, in MiB.
        chats_keep_days: days since its last change after which a chat is removed, when a session starts or by
            `chats purge`; 0: never.
        chats_max_gib: room for all saved chats, in GiB; above it the oldest are removed likewise. 0: any.
        heartbeat_s: seconds of silence after which a stream gets a comment to keep proxies from closing it.
        log_prompts: also write prompts and answers into the access log. Off: they are private.
        offline: never ask the hub for anything.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    state_dir: Path
    cache_dir: Path
    hf_home: Path
    site: str = Field(default="alpine", min_length=1)
    catalogue: tuple[Path, ...] = ()
    active_model: str | None = None
    models: dict[str, ModelSettings] = {}
    defaults: ModelSettings = ModelSettings(gpu_memory_utilization=0.90, max_model_len=32768, max_num_seqs=16)
    device: Literal["cuda", "cpu"] | None = None
    engine_python: str | None = None
    bind_host: str | None = None
    port_min: int | None = Port
    port_max: int | None = Port
    idle_stop_min: float = Field(default=30, ge=0)
    start_timeout_min: float = Field(default=60, gt=0)
    max_body_mib: int = Field(default=32, ge=1, le=1024)
    chats_keep_days: float = Field(default=0, ge=0)
    chats_max_gib: float = Field(default=1, ge=0)
    heartbeat_s: float = Field(default=15, gt=0, le=600)
    log_prompts: bool = False
    offline: bool = False

    @field_validator("catalogue", mode="before")
    @classmethod
    def _accept_one_path(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else value


def user_config_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own settings file is looked for."""
    base = environ.get("XDG_CONFIG_HOME") or str(_home(environ) / ".config")
    return Path(base) / "curc-llm" / "config.yml"


def user_catalogue_file(environ: Mapping[str, str]) -> Path:
    """Where the user's own catalogue is looked for: beside the settings file."""
    return user_config_file(environ).with_name("catalogue.yml")


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    folders: Mapping[str, str] | None = None,
) -> Settings:
    """Builds the settings from all their sources.

    The later of these wins: defaults, the user's file, `config`, environment, flags.

    Args:
        config: the file named with `-c`; it must exist.
        environ: the environment; os.environ when not given.
        flags: values from the command line, by field name; None and empty ones are left out.
        folders: state_dir, cache_dir and hf_home that nobody named otherwise; below the home when not given.
            See `sites.placement`, which takes them from the site.

    Raises:
        SettingsError: a file or variable can't be used; the text names the file and line, or the variable.

    Example:
        >>> load_settings(environ={"HOME": "/h", "CURC_LLM_IDLE_STOP_MIN": "5"}).idle_stop_min
        5.0
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    named = config or (Path(environ[ENV_PREFIX + "CONFIG"]) if environ.get(ENV_PREFIX + "CONFIG") else None)
    for path, must_exist in ((user_config_file(environ), False), (named, True)):
        if path is not None and (must_exist or path.exists()):
            text, own = _read_file(path)
            _check_file(path, text, own)
            values = _merge(values, _without_empty(own))
    values = _merge(values, _from_environment(environ))
    values = _merge(values, _place({k: v for k, v in (flags or {}).items() if v not in (None, "", ())}))
    return _build(_with_folders(values, environ, folders or {}), "The settings")


def _read_file(path: Path) -> tuple[str, dict[str, Any]]:
    if not path.exists():
        raise SettingsError(
            f"The settings file {path} can't be read: there is none.",
            "Check the path after -c, or in CURC_LLM_CONFIG.",
        )
    return read_yaml(path, "settings file", may_be_empty=True)


def _check_file(path: Path, text: str, values: dict[str, Any]) -> None:
    """Checks one file alone, so that an error names the file and the line."""
    try:
        Settings.model_validate({**_FOLDERS_FOR_CHECK, **_without_empty(values)})
    except ValidationError as error:
        first = error.errors()[0]
        line = line_of(text, [str(part) for part in first["loc"]])
        raise SettingsError(f"{path}, line {line}: {explain(first, KIND)}", _allowed(first)) from error


_FOLDERS_FOR_CHECK = {"state_dir": "/", "cache_dir": "/", "hf_home": "/"}


def _allowed(error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return "Mend the value, or leave it empty for the automatic choice."
    in_model, name = len(error["loc"]) > 1, str(error["loc"][-1])
    if not in_model and name in ModelSettings.model_fields:
        return f"`{name}` is a setting of models: it belongs below `defaults:`, or below one of `models:`."
    if in_model and name in Settings.model_fields:
        return f"`{name}` isn't a setting of models: it belongs at the beginning of a line."
    fields = sorted(ModelSettings.model_fields if in_model else Settings.model_fields)
    near = difflib.get_close_matches(name, fields, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    return f"{hint}Settings there are: {', '.join(fields)}."


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """`CURC_LLM_NAME` for every setting and model default; others, such as CURC_LLM_DIR, are not ours."""
    values: dict[str, Any] = {}
    for name in (*Settings.model_fields, *ModelSettings.model_fields):
        text = environ.get(ENV_PREFIX + name.upper(), "")
        if not text or name in {"models", "defaults", "adapters"}:
            continue
        placed = _place({name: text.split(os.pathsep) if name == "catalogue" else text})
        try:
            Settings.model_validate({**_FOLDERS_FOR_CHECK, **placed})
        except ValidationError as error:
            variable = ENV_PREFIX + name.upper()
            raise SettingsError(
                f"{variable}: {explain(error.errors()[0], KIND)}", f"Mend or unset {variable}."
            ) from error
        values = _merge(values, placed)
    return values


def _place(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Sorts flat names into settings and model defaults."""
    own = {k: v for k, v in flat.items() if k in Settings.model_fields}
    of_models = {k: v for k, v in flat.items() if k not in Settings.model_fields}
    return {**own, "defaults": of_models} if of_models else own


def _merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    cleaned = {k: _without_empty(v) if isinstance(v, dict) else v for k, v in values.items()}
    return {k: v for k, v in cleaned.items() if v is not None and v != ""}


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _with_folders(
    values: dict[str, Any], environ: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, Any]:
    merged = {
        "state_dir": _default_folder("state_dir", "XDG_STATE_HOME", ".local/state", environ, given),
        "cache_dir": _default_folder("cache_dir", "XDG_CACHE_HOME", ".cache", environ, given),
        **values,
    }
    hub = environ.get("HF_HOME") or given.get("hf_home") or Path(merged["cache_dir"]) / "huggingface"
    merged.setdefault("hf_home", hub)
    for name in ("state_dir", "cache_dir", "hf_home"):
        merged[name] = _expand_folder(name, merged[name], environ)
    merged["catalogue"] = _list_catalogues(merged.get("catalogue", ()), environ)
    defaults = ModelSettings(gpu_memory_utilization=0.90, max_model_len=32768, max_num_seqs=16).model_dump()
    merged["defaults"] = _merge(defaults, merged.get("defaults", {}))
    return merged


def _default_folder(
    name: str, variable: str, below_home: str, environ: Mapping[str, str], given: Mapping[str, str]
) -> Path:
    """What a person set for all programs counts more than what the site says, and that more than the home."""
    if environ.get(variable):
        return Path(environ[variable]) / "curc-llm"
    return Path(given[name]) if name in given else _home(environ) / below_home / "curc-llm"


def _expand(path: Any, environ: Mapping[str, str]) -> Path:
    return Path(replace_variables(str(path), {**os.environ, **environ})).expanduser().absolute()


def _expand_folder(name: str, path: Any, environ: Mapping[str, str]) -> Path:
    """A folder of ours; one with a variable that isn't set would be made under that variable's name."""
    if unset := find_unset(str(path), {**os.environ, **environ}):
        raise SettingsError(
            f"{name} is {path}, but ${unset} isn't set here.",
            f"Set {unset}, or name another folder ({name}, or {ENV_PREFIX}{name.upper()}).",
        )
    return _expand(path, environ)


def _list_catalogues(named: Any, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The user's own catalogue when there is one, then those that were named."""
    own = user_catalogue_file(environ)
    more = (named,) if isinstance(named, str | Path) else tuple(named)
    return (*([own] if own.is_file() else []), *(_expand(path, environ) for path in more if path))


def _build(values: dict[str, Any], source: str) -> Settings:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{source}: {explain(first, KIND)}", _allowed(first)) from error
    low, high = settings.port_min, settings.port_max
    if low and high and low > high:
        raise SettingsError(f"port_min {low} is above port_max {high}.", "Swap them.")
    if settings.active_model and settings.active_model not in settings.models:
        known = ", ".join(settings.models) or "none"
        raise SettingsError(
            f"active_model is {settings.active_model!r}, which is not in models.", f"Models there: {known}."
        )
    return settings
