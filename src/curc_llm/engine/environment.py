"""The environment that an engine runs in: what it must have, what it must not see. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curc_llm.engine.launcher import MENDS_LORA

# vLLM's own limit is 600 s, and when it passes the workers keep the GPU's memory (vllm#32116). A big model
# from a slow file system, compiled for the first time, needs longer; our supervisor has its own limit.
READY_TIMEOUT_S = 3600
CPU_KV_CACHE_GIB = "1"
LOOPBACK = "127.0.0.1,localhost,::1"

# Whatever looks like a secret stays out: any process of the engine, and any code that a model brings along,
# could read it. `HF_TOKEN_PATH` is a path and `TOKENIZERS_PARALLELISM` no token; neither fits.
SECRET = re.compile(
    r"(^|_)(TOKEN|TOKENS|API_?KEY|ACCESS_KEY|SECRET|SECRETS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|PRIVATE_KEY)($|_ID$|_KEY$)",
    re.IGNORECASE,
)
# A person's shell may hold these from other work; each would change what the engine is.
UNWANTED = {
    "VLLM_PORT",  # not the API's port: it would seed vLLM's internal ports
    "VLLM_API_KEY",  # the engine would then ask the gateway for a key that the gateway doesn't have
    "VLLM_SERVER_DEV_MODE",  # opens /collective_rpc, /update_weights and the like
    "VLLM_ALLOW_INSECURE_SERIALIZATION",  # lets pickles in
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING",  # lets callers load files
    "VLLM_DEBUG_LOG_API_SERVER_RESPONSE",  # writes answers into the log
    "VLLM_CONFIGURE_LOGGING",  # these four would hide the lines that phases are read from
    "VLLM_LOGGING_CONFIG_PATH",
    "VLLM_LOGGING_PREFIX",
    "VLLM_LOGGING_STREAM",
    "VLLM_TRACE_FUNCTION",  # logs every call
    "PYTHONDONTWRITEBYTECODE",  # vLLM imports some 3,000 modules in three processes: compile them once
    "PYTHONSTARTUP",
    "SSH_AUTH_SOCK",  # the way to a person's SSH keys
}
PROXIES = {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy"}


@dataclass(frozen=True)
class EngineCaches:
    """Where compiled code and downloads are kept.

    Compiled code fits one version of vLLM and one type of GPU; shared between them it is rebuilt again and
    again, or worse, used where it doesn't fit.

    Args:
        cache_dir: the user's own cache folder, best on fast storage, never the home folder of a cluster.
        hf_home: Hugging Face's folder; may be shared and read-only.
        engine_version: vLLM's version, as `read_engine_version` tells it.
        gpu_type: what the machine computes on, as `read_gpu_type` tells it.
    """

    cache_dir: Path
    hf_home: Path
    engine_version: str = "unknown"
    gpu_type: str = "unknown"

    @property
    def compiled(self) -> Path:
        """The folder for code that was compiled with this version for this type of GPU."""
        return self.cache_dir / "engine" / _folder_name(self.engine_version) / _folder_name(self.gpu_type)

    def render(self) -> dict[str, str]:
        """The variables that point every part of vLLM to these folders."""
        root = self.compiled
        return {
            "XDG_CACHE_HOME": str(root),  # whatever has no variable of its own
            "VLLM_CACHE_ROOT": str(root / "vllm"),
            "VLLM_CONFIG_ROOT": str(root / "vllm-config"),
            "TORCHINDUCTOR_CACHE_DIR": str(root / "inductor"),
            "TORCH_EXTENSIONS_DIR": str(root / "torch-extensions"),
            "TRITON_CACHE_DIR": str(root / "triton"),
            "FLASHINFER_WORKSPACE_BASE": str(root),  # FlashInfer adds .cache/flashinfer
            "CUDA_CACHE_PATH": str(root / "cuda"),  # else ~/.nv, and homes are small
            "HF_HOME": str(self.hf_home),
            # Code that a model brings is copied before it runs; HF_HOME may be read-only.
            "HF_MODULES_CACHE": str(root / "hf-modules"),
        }


def make_environment(
    base: Mapping[str, str],
    *,
    device: Literal["cuda", "cpu"],
    caches: EngineCaches,
    needs_hub: bool = False,
    token_path: Path | None = None,
    runtime_dir: Path | None = None,
    cores: int = 1,
    has_nvcc: bool = True,
    device_ids: Sequence[int] = (),
    has_lora: bool = False,
) -> dict[str, str]:
    """The whole environment of an engine process; nothing is inherited beyond it.

    Args:
        base: the environment to start from, normally `os.environ`.
        device: `cuda` or `cpu`.
        caches: where compiled code and models are kept.
        needs_hub: True only when vLLM itself must ask the hub; a model that was downloaded first doesn't.
        token_path: file with the person's Hugging Face token, told only where `needs_hub`.
        runtime_dir: the session's private folder for sockets; its path must be short.
        cores: cores that the engine may use (on CPUs).
        has_nvcc: False where no CUDA compiler is found; then nothing may need one.
        device_ids: of the GPUs that `base` shows those that the engine may see, counted from 0; empty: all.
        has_lora: whether adapters may be loaded and unloaded while it runs. The routes for that are on the
            engine's own unix socket, which only the supervisor and the gateway reach; the gateway relays none
            of them.
    """
    environment = _inherited(base, needs_hub)
    environment |= caches.render() | _always(environment)
    environment |= _hub(needs_hub, token_path)
    if runtime_dir is not None:
        # vLLM's inner sockets: the default is the shared temporary folder, and a long path breaks them.
        # Other temporary files (`vllm_dist_…`, compilers') would stay in the shared folder as well; the job
        # removes this one. Programs look at one or the other of the three names.
        names = ("VLLM_RPC_BASE_PATH", "TMPDIR", "TEMP", "TMP")
        environment |= dict.fromkeys(names, str(runtime_dir))
    if has_lora:
        environment |= {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", MENDS_LORA: "1" if device == "cpu" else "0"}
    environment |= _cpu(base, cores) if device == "cpu" else _cuda(base, has_nvcc, device_ids)
    return environment


def _inherited(base: Mapping[str, str], needs_hub: bool) -> dict[str, str]:
    return {name: value for name, value in base.items() if not _is_dropped(name, needs_hub)}


def is_secret(name: str) -> bool:
    """Whether a variable of that name is likely to hold a secret.

    Example:
        >>> is_secret("HF_TOKEN"), is_secret("TOKENIZERS_PARALLELISM"), is_secret("HF_TOKEN_PATH")
        (True, False, False)
    """
    return bool(SECRET.search(name))


def _is_dropped(name: str, needs_hub: bool) -> bool:
    # A proxy's address often holds a password, and an engine that needs no hub needs no proxy.
    is_needless_proxy = name.lower() in PROXIES and not needs_hub
    return name in UNWANTED or name.startswith("CURC_LLM_") or is_secret(name) or is_needless_proxy


def _always(environment: Mapping[str, str]) -> dict[str, str]:
    loopback = ",".join(filter(None, [environment.get("NO_PROXY") or environment.get("no_proxy"), LOOPBACK]))
    return {
        "VLLM_ENGINE_READY_TIMEOUT_S": str(READY_TIMEOUT_S),
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",  # a redirect would pass the allow-list of media hosts
        "VLLM_HOST_IP": "127.0.0.1",  # one node: rendezvous and messages stay on loopback
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "VLLM_LOGGING_LEVEL": "INFO",  # phases are read from INFO lines
        "VLLM_LOGGING_COLOR": "0",
        "NO_COLOR": "1",
        "VLLM_DISABLE_LOG_LOGO": "1",
        "PYTHONUNBUFFERED": "1",  # the last words before a crash must reach the log
        "PYTHONSAFEPATH": "1",  # a file random.py in the current folder must not replace the library's
        # uvicorn closes idle connections after 5 s; the gateway's pool would lose all between two requests.
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "300",
    }


def _hub(needs_hub: bool, token_path: Path | None) -> dict[str, str]:
    if not needs_hub:
        return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    # HF_HOME moves the token's file along with it: so the file is named.
    return {"HF_TOKEN_PATH": str(token_path)} if token_path else {}


def _cuda(base: Mapping[str, str], has_nvcc: bool, device_ids: Sequence[int]) -> dict[str, str]:
    visible = {"CUDA_VISIBLE_DEVICES": choose_devices(base, device_ids)} if device_ids else {}
    # FlashInfer compiles its sampler at the first token; without nvcc it kills the engine (vllm#49497).
    return (
        visible
        if has_nvcc
        else visible | {"VLLM_USE_FLASHINFER_SAMPLER": base.get("VLLM_USE_FLASHINFER_SAMPLER", "0")}
    )


def choose_devices(base: Mapping[str, str], device_ids: Sequence[int]) -> str:
    """What CUDA_VISIBLE_DEVICES is for an engine that has some of a job's GPUs.

    Slurm lists them there by number, by UUID or as MIG slices, of which a process sees only the first
    (https://docs.nvidia.com/datacenter/tesla/mig-user-guide/): so what isn't an engine's own is left out.

    Args:
        base: the job's environment.
        device_ids: places in that list.

    Example:
        >>> choose_devices({"CUDA_VISIBLE_DEVICES": "MIG-a,MIG-b"}, [1]), choose_devices({}, [0, 2])
        ('MIG-b', '0,2')
    """
    given = [name for name in base.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return ",".join(given[i] if i < len(given) else str(i) for i in device_ids)


def _cpu(base: Mapping[str, str], cores: int) -> dict[str, str]:
    return {
        # vLLM would bind its threads to all cores but one, the same ones for every engine of the machine.
        "VLLM_CPU_OMP_THREADS_BIND": base.get("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
        # One core is left to the API server, as vLLM itself does. With a thread on every core of a busy
        # machine all threads wait for the slowest: 69 instead of 1,660 tokens/s were seen on two cores.
        "OMP_NUM_THREADS": base.get("OMP_NUM_THREADS", str(max(1, cores - 1))),
        # Without it vLLM wants 92 % of the machine's memory to be free. GiB, whole numbers.
        "VLLM_CPU_KVCACHE_SPACE": base.get("VLLM_CPU_KVCACHE_SPACE", CPU_KV_CACHE_GIB),
        # Lets the worker live in the engine core's own process (see `render_arguments`); the API server keeps
        # its own process in any case. Binding threads, which needs the third process, is off above.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }


def _folder_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+]+", "-", text).strip("-.") or "unknown"
