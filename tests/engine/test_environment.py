from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.engine.environment import EngineCaches, is_secret, make_environment

CACHES = EngineCaches(Path("/scratch/me"), Path("/projects/hf"), "0.32.0", "NVIDIA A100-SXM4-80GB")


def make(base: dict[str, str] | None = None, **more: Any) -> dict[str, str]:
    return make_environment(base or {}, **{"device": "cuda", "caches": CACHES, **more})


def test_a_slow_start_is_not_cut_off_after_ten_minutes() -> None:
    assert int(make()["VLLM_ENGINE_READY_TIMEOUT_S"]) >= 3600


def test_nothing_is_told_to_anyone_outside() -> None:
    environment = make()
    names = ("VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")
    assert [environment[name] for name in names] == ["1"] * 4


@pytest.mark.parametrize(
    "name",
    [
        *(
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "OPENAI_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
        ),
        *("GITHUB_TOKEN", "MY_PASSWORD", "DB_PASSWD", "CURC_LLM_KEY_FILE", "VLLM_API_KEY", "WANDB_API_KEY"),
        *("SSH_AUTH_SOCK", "GOOGLE_APPLICATION_CREDENTIALS", "https_proxy", "HTTP_PROXY", "hf_token"),
    ],
)
def test_no_secret_reaches_the_engine(name: str) -> None:
    assert name not in make({name: "s3cret"})
    assert "s3cret" not in make({name: "s3cret"}).values()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PATH",
            "HOME",
            "LD_LIBRARY_PATH",
            "CUDA_VISIBLE_DEVICES",
            "SLURM_JOB_ID",
            "TOKENIZERS_PARALLELISM",
        ),
        *("PYTHONPATH", "NCCL_DEBUG", "VLLM_ATTENTION_BACKEND", "KEYBOARD", "MONKEY", "HF_ENDPOINT", "LANG"),
    ],
)
def test_what_an_engine_needs_is_kept(name: str) -> None:
    assert make({name: "x"})[name] == "x"


@pytest.mark.parametrize(
    "name",
    ["VLLM_PORT", "VLLM_SERVER_DEV_MODE", "VLLM_ALLOW_INSECURE_SERIALIZATION", "VLLM_LOGGING_CONFIG_PATH"],
)
def test_a_persons_shell_does_not_change_what_the_engine_is(name: str) -> None:
    assert name not in make({name: "1"})


def test_caches_are_apart_by_version_and_type_of_gpu() -> None:
    environment = make()
    for name in (
        "VLLM_CACHE_ROOT",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "XDG_CACHE_HOME",
        "CUDA_CACHE_PATH",
    ):
        assert environment[name].startswith("/scratch/me/engine/0.32.0/NVIDIA-A100-SXM4-80GB")
    assert environment["HF_HOME"] == "/projects/hf"
    other = EngineCaches(Path("/scratch/me"), Path("/projects/hf"), "0.33.0", "cpu AMD EPYC")
    assert make(caches=other)["VLLM_CACHE_ROOT"] == "/scratch/me/engine/0.33.0/cpu-AMD-EPYC/vllm"


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_cache_is_always_below_its_folder(version: str, gpu_type: str) -> None:
    folder = EngineCaches(Path("/c"), Path("/h"), version, gpu_type).compiled
    assert len(folder.parts) == 5
    assert ".." not in folder.parts


def test_an_engine_that_needs_the_hub_may_ask_it() -> None:
    environment = make({"https_proxy": "http://proxy"}, needs_hub=True, token_path=Path("/home/me/token"))
    assert "HF_HUB_OFFLINE" not in environment
    assert environment["https_proxy"] == "http://proxy"
    assert environment["HF_TOKEN_PATH"] == "/home/me/token"


def test_loopback_is_never_asked_of_a_proxy() -> None:
    environment = make({"no_proxy": "example.org"}, needs_hub=True)
    assert environment["NO_PROXY"] == environment["no_proxy"] == "example.org,127.0.0.1,localhost,::1"


def test_media_redirects_are_not_followed_and_rendezvous_stays_on_loopback() -> None:
    environment = make()
    assert environment["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"
    assert environment["VLLM_HOST_IP"] == "127.0.0.1"


def test_without_a_cuda_compiler_nothing_is_compiled_by_flashinfer() -> None:
    assert make(has_nvcc=False)["VLLM_USE_FLASHINFER_SAMPLER"] == "0"
    assert "VLLM_USE_FLASHINFER_SAMPLER" not in make(has_nvcc=True)
    assert make({"VLLM_USE_FLASHINFER_SAMPLER": "1"}, has_nvcc=False)["VLLM_USE_FLASHINFER_SAMPLER"] == "1"


def test_on_cpus_one_core_is_left_to_the_server() -> None:
    assert make(device="cpu", cores=16)["OMP_NUM_THREADS"] == "15"
    assert make(device="cpu", cores=1)["OMP_NUM_THREADS"] == "1"
    assert make({"OMP_NUM_THREADS": "4"}, device="cpu", cores=16)["OMP_NUM_THREADS"] == "4"
    assert "OMP_NUM_THREADS" not in make(cores=16)


def test_on_cpus_threads_are_bound_to_no_core_and_the_cache_has_a_size() -> None:
    environment = make(device="cpu")
    assert environment["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert int(environment["VLLM_CPU_KVCACHE_SPACE"]) >= 1
    assert make({"VLLM_CPU_KVCACHE_SPACE": "7"}, device="cpu")["VLLM_CPU_KVCACHE_SPACE"] == "7"


def test_inner_sockets_lie_in_the_sessions_own_folder() -> None:
    assert make(runtime_dir=Path("/run/x"))["VLLM_RPC_BASE_PATH"] == "/run/x"
    assert "VLLM_RPC_BASE_PATH" not in make()


def test_temporary_files_stay_in_the_sessions_own_folder() -> None:
    """vLLM leaves `vllm_dist_…` in TMPDIR whenever it is killed."""
    assert make(runtime_dir=Path("/run/x"))["TMPDIR"] == "/run/x"


def test_names_of_secrets_are_told_from_others() -> None:
    assert is_secret("X_TOKEN")
    assert not is_secret("HF_TOKEN_PATH")


def test_an_engine_sees_its_own_gpus_and_no_others() -> None:
    def visible(given: str | None, *device_ids: int) -> str | None:
        base = {} if given is None else {"CUDA_VISIBLE_DEVICES": given}
        return make(base, device="cuda", device_ids=device_ids).get("CUDA_VISIBLE_DEVICES")

    assert visible("GPU-a,GPU-b,GPU-c", 0, 1) == "GPU-a,GPU-b"
    assert visible("MIG-a,MIG-b", 1) == "MIG-b"
    assert visible("3,5") == "3,5"
    assert (visible(None), visible(None, 2)) == (None, "2")
