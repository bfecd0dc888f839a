"""The LaunchSpec: all that a job is told. Frozen, JSON, versioned; the only contract with the job."""

from __future__ import annotations

import getpass
import json
import re
import secrets
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from curc_llm.errors import ModelNotFoundError, SpecError
from curc_llm.settings import ModelSettings, Settings

SPEC_VERSION = 1
DEMO_MODEL_NAME = "curc-guide"
DEMO_MODEL_DIR = Path(__file__).parent / "data" / "demo_model"
# owner/name as the hub allows it: letters, digits, . _ - (huggingface_hub.utils.validate_repo_id).
HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class EngineSpec(_Frozen):
    """One engine to run: the model and how vLLM serves it. Field names are vLLM's own.

    Args:
        model: a folder (absolute path), or a Hugging Face id.
        is_local: True when `model` is a folder; then nothing is asked of the hub.
        max_model_len: context wanted, in tokens; lowered to the model's own limit when the engine starts.
        max_num_batched_tokens: tokens of one forward pass, over all requests.
        tensor_parallel_size, pipeline_parallel_size: GPUs that share each layer; groups of layers.
        data_parallel_size: copies of the model that share the requests.
        enable_expert_parallel: whole experts on each GPU instead of slices of all of them.
        seed: start of vLLM's random numbers, for sampling without a seed of its own.
    """

    served_model_name: str
    model: str
    is_local: bool
    revision: str | None = None
    runner: Literal["generate", "pooling"] = "generate"
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilization: float | None = None
    dtype: str | None = None
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    tensor_parallel_size: int | None = None
    pipeline_parallel_size: int | None = None
    data_parallel_size: int | None = None
    enable_expert_parallel: bool = False
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    trust_remote_code: bool = False
    enforce_eager: bool = False
    seed: int | None = None


class LaunchSpec(_Frozen):
    """All that a job is told.

    Args:
        session_id: the session's name; also its folder's.
        session_dir: the session's folder.
        engines: the models to serve, at least one.
        device: `cuda` or `cpu`.
        engine_python: the Python that has vLLM.
        bind_host: address the gateway listens on.
        advertise_host: host name put into URLs.
        port_min, port_max: the gateway's port range; 0 and 0 for any free port.
        idle_stop_min: minutes without a request until the session ends; 0 for never.
        wall_time_s: seconds until the session must end; None for no end.
        start_timeout_s: seconds an engine may take to become ready.
        drain_s: seconds that running requests get to finish when the session ends.
    """

    version: int = SPEC_VERSION
    session_id: str
    session_dir: Path
    owner: str
    engines: tuple[EngineSpec, ...]
    device: Literal["cuda", "cpu"]
    engine_python: str
    cache_dir: Path
    hf_home: Path
    state_dir: Path
    bind_host: str = "127.0.0.1"
    advertise_host: str = "127.0.0.1"
    port_min: int = 0
    port_max: int = 0
    idle_stop_min: float = 30
    wall_time_s: float | None = None
    start_timeout_s: float = 3600
    drain_s: float = 20
    max_body_mib: int = 32
    heartbeat_s: float = 15
    log_prompts: bool = False
    offline: bool = False


def make_session_id(prefix: str = "local") -> str:
    """A new session id such as `local-k3v9qd`."""
    return f"{prefix}-" + "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(6))


def make_engine_spec(settings: Settings, wanted: str) -> EngineSpec:
    """Resolves what a person called a model: a settings entry, `demo`, a folder, or a Hugging Face id.

    Raises:
        ModelNotFoundError: it is none of these, or the folder is no model that can be served.
    """
    own = settings.models.get(wanted)
    values = settings.defaults.model_dump(exclude_none=True)
    if own is not None:
        values |= own.model_dump(exclude_none=True)
    elif wanted in {"demo", DEMO_MODEL_NAME}:
        values = {"model": str(DEMO_MODEL_DIR), "served_model_name": DEMO_MODEL_NAME, "max_num_seqs": 64} | {
            k: v for k, v in values.items() if k in {"gpu_memory_utilization", "max_model_len"}
        }
        values["enforce_eager"] = True
    else:
        values["model"] = wanted
    model = str(values.pop("model", None) or wanted)
    folder = _model_folder(model)
    name = values.pop("served_model_name", None) or _default_name(wanted if own else model, folder)
    known = {k: v for k, v in values.items() if k in EngineSpec.model_fields}
    return EngineSpec(
        served_model_name=name, model=str(folder or model), is_local=folder is not None, **known
    )


def _default_name(model: str, folder: Path | None) -> str:
    return folder.name if folder is not None and ("/" in model) else model


def _model_folder(model: str) -> Path | None:
    """The folder that a model name points to; None for a Hugging Face id."""
    path = Path(model).expanduser()
    looks_like_path = model.startswith(("/", "./", "../", "~")) or model in {".", ".."}
    if looks_like_path or _holds_config(path):
        return _checked_folder(path)
    if HUB_ID.fullmatch(model) is None:
        raise ModelNotFoundError(
            f"{model!r} is not a model of your settings, a folder, or a Hugging Face id.",
            "Hugging Face ids look like Qwen/Qwen3-0.6B; folders start with / or ./",
        )
    return None


def _holds_config(path: Path) -> bool:
    try:
        return (path / "config.json").is_file()
    except (OSError, ValueError):  # too long, or characters that no path has
        return False


def _checked_folder(path: Path) -> Path:
    """The folder, once it is sure that it can be entered and holds a model's config.json."""
    try:
        names = {entry.name for entry in path.iterdir()}
        if "config.json" in names:
            json.loads((path / "config.json").read_text(encoding="utf-8"))
            return path.resolve()
    except FileNotFoundError as error:
        remedy = "Check the path, or give a Hugging Face id such as Qwen/Qwen3-0.6B."
        raise ModelNotFoundError(f"There is no folder {path}.", remedy) from error
    except OSError as error:
        message = f"The model folder {path} can't be read: {error.strerror}."
        raise ModelNotFoundError(message, "Check its permissions.") from error
    except ValueError as error:
        message = f"{path}/config.json isn't valid JSON, so it isn't a model."
        raise ModelNotFoundError(message, "Copy or download the model again.") from error
    raise ModelNotFoundError(
        f"{path} holds no config.json: it is no model.", "Name the folder that holds it."
    )


def make_launch_spec(
    settings: Settings,
    models: tuple[str, ...],
    *,
    device: Literal["cuda", "cpu"],
    engine_python: str,
    session_id: str | None = None,
    time_h: float | None = None,
    bind_host: str | None = None,
    advertise_host: str | None = None,
) -> LaunchSpec:
    """Makes the spec of a session that serves `models` (served_model_names must differ).

    Raises:
        ModelNotFoundError: see `make_engine_spec`.
        SpecError: no model was named, or two would have the same name.
    """
    wanted = models or ((settings.active_model,) if settings.active_model else ())
    if not wanted:
        raise SpecError("No model was named.", "Name one, or set active_model in your settings.")
    engines = tuple(make_engine_spec(settings, name) for name in wanted)
    names = [engine.served_model_name for engine in engines]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise SpecError(f"Two models would be served as {twice!r}.", "Set served_model_name for one of them.")
    own = settings.models.get(wanted[0], ModelSettings())
    hours = time_h or own.time_h or settings.defaults.time_h
    port = own.port or settings.defaults.port
    session_id = session_id or make_session_id()
    host = bind_host or settings.bind_host or "127.0.0.1"
    return LaunchSpec(
        session_id=session_id,
        session_dir=settings.state_dir / "sessions" / session_id,
        owner=getpass.getuser(),
        engines=engines,
        device=device,
        engine_python=engine_python,
        cache_dir=settings.cache_dir,
        hf_home=settings.hf_home,
        state_dir=settings.state_dir,
        bind_host=host,
        advertise_host=advertise_host or host,
        port_min=port or settings.port_min or 0,
        port_max=port or settings.port_max or settings.port_min or 0,
        idle_stop_min=settings.idle_stop_min,
        wall_time_s=hours * 3600 if hours else None,
        start_timeout_s=settings.start_timeout_min * 60,
        max_body_mib=settings.max_body_mib,
        heartbeat_s=settings.heartbeat_s,
        log_prompts=settings.log_prompts,
        offline=settings.offline,
    )


def read_launch_spec(path: Path) -> LaunchSpec:
    """Reads a spec that was written as JSON.

    Raises:
        SpecError: it is missing, broken, or of a newer version.
    """
    try:
        return LaunchSpec.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        text = str(error).splitlines()[0]
        raise SpecError(
            f"{path} can't be used as a launch spec: {text}.", "Launch again with curc-llm serve."
        ) from error
