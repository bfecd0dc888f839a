"""Each text in data/*.log was printed by a real vLLM; data/from_sources.yml holds what needs a GPU to see."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from curc_llm.engine.diagnosis import CAUSES, diagnose
from curc_llm.engine.host_memory import HostMemory

DATA = Path(__file__).with_name("data")
# File, code, what the message must name, what the remedy must name.
REAL = [
    ("badarg", "arguments", "--no-such-flag", "doctor"),
    ("badjson", "model_config", "/models/badjson/config.json", "Fetch"),
    ("badtemplate", "chat_template", "unexpected '}'", "chat_template"),
    ("cacheperm", "cache_permission", "/scratch/roothome/i", "cache_dir"),
    ("chattemplate", "chat_template", "/no/such/template.jinja", "chat_template"),
    ("empty", "weights_broken", "header too small", "Fetch"),
    ("garbage", "weights_broken", "header too large", "Fetch"),
    ("hugemem", "host_memory", "not the GPU's", "mem_per_gpu_gib"),
    ("kvdtype", "dtype_unsupported", "FP8", "kv_cache_dtype"),
    ("kvlarge", "kv_cache_too_large", "1000.0 GiB", "VLLM_CPU_KVCACHE_SPACE"),
    ("kvsmall", "kv_cache_too_small", "768 tokens would fit", "max_model_len to 768"),
    ("kvzero", "no_kv_cache", "weights fill the memory", "quantised"),
    ("lfs", "weights_broken", "header too large", "git lfs pull"),
    ("maxlen", "context_too_long", "2048 tokens, but max_model_len asks for 100000000", "2048 or less"),
    ("missing", "model_missing", "/no/such/model", "this node"),
    ("missingshard", "weights_missing", "model-00002-of-00002.safetensors", "Fetch"),
    ("noconfig", "not_a_model", "/models/noconfig", "config.json"),
    ("nospace", "disk_full", "quota", "cache_dir"),
    ("notokenizer", "tokenizer_missing", "tokenizer", "Fetch"),
    ("novllm", "vllm_missing", "no vLLM", "engine_python"),
    ("noweights", "weights_missing", "/models/noweights", "folder"),
    ("offline", "model_not_cached", "offline", "Download"),
    ("quantarg", "quantization_unknown", "quantisation", "Leave quantization empty"),
    ("quantbad", "quantization_unknown", "quantisation", "Leave quantization empty"),
    ("reasonparser", "reasoning_parser", "quux", "logs"),
    ("remotecode", "remote_code", "program code", "trust_remote_code"),
    ("toolparser", "tool_parser", "quux", "logs"),
    ("tp7", "tensor_parallel", "4 attention heads, which can't be shared by 7", "divides 4"),
    ("truncated", "weights_broken", "incomplete metadata", "Fetch"),
    ("truncated_tp2", "weights_broken", "incomplete metadata", "Fetch"),
    ("udsused", "port_in_use", "in use", "Start again"),
    ("unknownarch", "unknown_architecture", "QuuxForCausalLM", "Update vLLM"),
    ("unknowntype", "unknown_architecture", "quux", "Update vLLM"),
    ("unkquant", "quantization_unknown", "quantisation", "Leave quantization empty"),
    ("unreachable", "hub_unreachable", "http://127.0.0.1:9", "internet"),
    ("unreadable", "weights_missing", "/models/unreadable/model.safetensors", "permissions"),
    ("wrongshape", "weights_mismatch", "config.json", "versions"),
]
FROM_SOURCES = yaml.safe_load((DATA / "from_sources.yml").read_text())
OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 896.00 MiB."


@pytest.mark.parametrize(("name", "code", "said", "advice"), REAL)
def test_a_text_of_the_real_vllm_is_understood(name: str, code: str, said: str, advice: str) -> None:
    trouble = diagnose((DATA / f"{name}.log").read_text(), 1)
    assert trouble.code == code
    assert said in trouble.message
    assert advice in trouble.remedy


@pytest.mark.parametrize("row", FROM_SOURCES, ids=lambda row: row["code"])
def test_a_text_of_vllms_sources_is_understood(row: dict[str, str]) -> None:
    trouble = diagnose(f"(APIServer pid=1) INFO 11-21 10:00:00 [x.py:1] fine so far\n{row['text']}\n", 1)
    assert trouble.code == row["code"]
    assert row["said"] in trouble.message
    assert trouble.remedy


def test_every_real_text_is_in_the_table() -> None:
    logs = {path.stem for path in DATA.glob("*.log") if not path.stem.startswith("start_")}
    assert logs == {name for name, *_ in REAL}


@pytest.mark.parametrize("name", ["start_compiled", "start_warm", "start_cuda"])
def test_a_log_without_failure_gives_no_false_cause(name: str) -> None:
    trouble = diagnose((DATA / f"{name}.log").read_text(), 1)
    assert trouble.code == "engine_failed"
    assert "exit status 1" in trouble.message


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (-9, "killed", "memory"),
        (-11, "crashed", "segmentation"),
        (-7, "shared_memory", "/dev/shm"),
        (-6, "crashed", "abort"),
    ],
)
def test_an_end_by_signal_is_explained(status: int, code: str, said: str) -> None:
    trouble = diagnose("INFO all is well\n", status)
    assert trouble.code == code
    assert said in trouble.message


def test_a_kill_for_want_of_memory_is_told_for_certain() -> None:
    trouble = diagnose("INFO all is well\n", -9, HostMemory(limit_gib=16.0, oom_kills=1))
    assert trouble.code == "host_memory"
    assert "the job's memory of 16 GiB ran out" in trouble.message
    assert diagnose("", -9, HostMemory(limit_gib=16.0)).code == "killed"


def test_a_cause_in_the_log_wins_over_the_signal() -> None:
    assert diagnose(f"ERROR {OUT_OF_MEMORY}\n", -9).code == "out_of_memory"


def test_an_unknown_failure_ends_with_the_last_error_and_no_secret() -> None:
    log = (
        'Traceback (most recent call last):\n  File "x.py", line 1\n'
        "zmq.error.ZMQError: Protocol wrong for hf_abcdefghijklmnop\n"
        "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n"
        "/usr/lib/resource_tracker.py:224: UserWarning: leaked\n  warnings.warn('leaked')\n"
    )
    trouble = diagnose(log, 1)
    assert trouble.code == "engine_failed"
    assert (
        trouble.message
        == "The engine ended with exit status 1: zmq.error.ZMQError: Protocol wrong for hf_***"
    )


def test_without_an_error_the_last_line_that_says_something_is_told() -> None:
    log = (
        "INFO 11-21 loading\nkilled by a watchdog\nx.py:224: UserWarning: leaked\n  warnings.warn('leaked')\n"
    )
    assert diagnose(log, 2).message == "The engine ended with exit status 2: killed by a watchdog"


def test_what_was_said_before_anything_failed_is_no_cause() -> None:
    log = "INFO engine with trust_remote_code=True, [Errno 98] harmless\nERROR zmq.error.ZMQError: odd\n"
    assert diagnose(log, 1).code == "engine_failed"


def test_an_engine_that_wrote_nothing_is_told_so() -> None:
    assert "it wrote nothing" in diagnose("", 3).message
    assert "stopped working" in diagnose("", None).message


@given(st.text(max_size=300), st.integers(-64, 255) | st.none())
def test_any_log_has_a_diagnosis(text: str, status: int | None) -> None:
    assert diagnose(text, status).message


def test_messages_and_remedies_are_sentences() -> None:
    for known in CAUSES:
        assert known.message.endswith((".", "}")), known
        assert known.remedy.rstrip(")").endswith((".", "login", "token")), known


def test_an_engine_whose_core_was_killed_is_said_to_be_killed_not_to_have_ended_well() -> None:
    log = "ERROR 11-21 vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."
    trouble = diagnose(log, 0)
    assert trouble.code == "killed"
    assert "exit status 0" not in trouble.message
