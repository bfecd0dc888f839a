"""Launches that can't be, or that nobody honest asks for: all refused before sbatch, in words that help."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.ood.ruby import VERSIONS, needs_ruby, submit

pytestmark = [needs_ruby, pytest.mark.slow]

GOOD = {
    "llm_model": "llama-3.3-70b-instruct",
    "llm_own_model": "",
    "llm_gpus": "a100-80gb-x2",
    "bc_num_hours": "4",
    "auto_accounts": "ucb-general",
    "llm_preset": "",
    "llm_context": "",
    "llm_qos": "",
    "llm_idle_min": "30",
    "llm_reservation": "",
    "llm_mail": "0",
}
LONG = "x" * 10_240
OWN = {"llm_model": "own", "llm_gpus": "l40-x1"}

# What was sent → what the sentence must name (the value) and what the remedy must name.
BAD: list[tuple[dict[str, str], str, str]] = [
    # the model
    ({"llm_model": ""}, "No model was chosen", "Choose one"),
    ({"llm_model": "llama-3.3-70b-instrukt"}, '"llama-3.3-70b-instrukt"', "llama-3.3-70b-instruct"),
    ({"llm_model": "gpt-7"}, '"gpt-7"', "gpt-oss-20b"),
    ({"llm_model": "LLAMA-3.3-70B-INSTRUCT"}, '"LLAMA-3.3-70B-INSTRUCT"', "llama-3.3-70b-instruct"),
    ({"llm_model": "qwen3-4b'; scancel -u $USER; '"}, "scancel", "Choose one"),
    ({"llm_model": 'qwen3-4b"'}, 'qwen3-4b\\"', "qwen3-4b"),
    ({"llm_model": "qwen3-4b\nscript: {native: [--uid=0]}"}, "\\n", "choose anew"),
    ({"llm_model": "qwen3-4b\r\n#SBATCH --uid=0"}, "\\r\\n", "choose anew"),
    ({"llm_model": "$(touch /tmp/pwned)"}, "touch", "Choose one"),
    ({"llm_model": "`id`"}, "`id`", "Choose one"),
    ({"llm_model": "<script>alert(1)</script>"}, "<script>", "Choose one"),
    ({"llm_model": "!ruby/object:Gem::Installer {}"}, "!ruby", "Choose one"),
    ({"llm_model": "*alias"}, "*alias", "Choose one"),
    ({"llm_model": "<%= `id` %>"}, "<%=", "Choose one"),
    ({"llm_model": "\u202eqwen3-4b"}, "\\u202Eqwen3-4b", "qwen3-4b"),
    ({"llm_model": "qwen3-4b\x00"}, "\\u0000", "choose anew"),
    ({"llm_model": "qwen3\u20284b"}, "qwen3", "choose anew"),
    ({"llm_model": LONG}, "xxxx", "choose anew"),
    ({"llm_model": "kimi-k2.6"}, "Kimi K2.6", "choose another model"),
    # a model of one's own
    ({**OWN, "llm_own_model": ""}, '""', "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": "llama"}, '"llama"', "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": "../../etc/passwd"}, "../../etc/passwd", "full path"),
    ({**OWN, "llm_own_model": "/projects/../../etc/shadow"}, "/projects/../../etc", "full path"),
    ({**OWN, "llm_own_model": "/proc/self/environ"}, "/proc/self", "full path"),
    ({**OWN, "llm_own_model": "/etc/passwd"}, "/etc/passwd", "full path"),
    ({**OWN, "llm_own_model": "/"}, '"/"', "full path"),
    ({**OWN, "llm_own_model": "/projects/me/$(id)"}, "$(id)", "full path"),
    ({**OWN, "llm_own_model": "/projects/me/a;b"}, "a;b", "full path"),
    ({**OWN, "llm_own_model": "~/models/mine"}, "~/models/mine", "full path"),
    ({**OWN, "llm_own_model": "a/b/c"}, '"a/b/c"', "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": "a/.."}, '"a/.."', "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": "--trust-remote-code/x"}, "--trust-remote-code", "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": "https://huggingface.co/Qwen/Qwen3-8B"}, "https://", "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": "hf_abcdefghijklmnopqrstuvwxyz"}, "Hugging Face token", "curc-llm token"),
    ({**OWN, "llm_own_model": "Qwen/Qwen3\u00b2"}, "Qwen/Qwen3", "Qwen/Qwen3-8B"),
    ({**OWN, "llm_own_model": f"/{LONG}"}, "xxxx", "choose anew"),
    ({**OWN, "llm_own_model": "Qwen/Qwen3-8B", "llm_gpus": "mi100-x1"}, "MI100", "work"),
    # GPUs
    ({"llm_gpus": ""}, "No GPUs were chosen", "SU per hour"),
    ({"llm_gpus": "a100-80gb-x9"}, '"a100-80gb-x9"', "work: 3 × A100 80 GB"),
    ({"llm_gpus": "a100_80gb-x2"}, '"a100_80gb-x2"', "SU per hour"),
    ({"llm_gpus": "a100-80gb"}, '"a100-80gb"', "SU per hour"),
    ({"llm_gpus": "a100-80gb-x0"}, '"a100-80gb-x0"', "SU per hour"),
    ({"llm_gpus": "a100-80gb-x-1"}, '"a100-80gb-x-1"', "SU per hour"),
    ({"llm_gpus": "a100-80gb-x2,gpu:h200:8"}, "gpu:h200:8", "SU per hour"),
    ({"llm_gpus": "gpu:a100_80gb:2"}, "gpu:a100_80gb:2", "SU per hour"),
    ({"llm_gpus": "A100-80GB-X2"}, "A100-80GB-X2", "SU per hour"),
    ({"llm_gpus": "a100-40gb-x1"}, "1 x a100-40gb", "2 × A100 40 GB"),
    ({"llm_gpus": "rtx-pro-6000-1g-24gb-x1"}, "rtx_pro_6000_1g.24gb", "SU per hour"),
    ({"llm_gpus": "mi100-x1"}, "mi100", "SU per hour"),
    ({"llm_gpus": "a100-3g-20gb-x2"}, "a100-3g-20gb-x2", "SU per hour"),
    # hours
    ({"bc_num_hours": ""}, '""', "1 to 168"),
    ({"bc_num_hours": "0"}, '"0"', "1 to 168"),
    ({"bc_num_hours": "-1"}, '"-1"', "1 to 168"),
    ({"bc_num_hours": "4.5"}, '"4.5"', "whole number"),
    ({"bc_num_hours": "1e9"}, '"1e9"', "1 to 168"),
    ({"bc_num_hours": "nan"}, '"nan"', "1 to 168"),
    ({"bc_num_hours": "0x10"}, '"0x10"', "1 to 168"),
    ({"bc_num_hours": "4 hours"}, '"4 hours"', "1 to 168"),
    ({"bc_num_hours": "\u0664"}, "\u0664", "1 to 168"),
    ({"bc_num_hours": "999999999999999999999"}, "999999", "1 to 168"),
    ({"bc_num_hours": "169"}, '"169"', "1 to 168"),
    ({"bc_num_hours": "4; sbatch evil.sh"}, "evil.sh", "1 to 168"),
    ({"bc_num_hours": "48"}, "48 were asked for", "Choose 24 hours. For 48 hours take"),
    (
        {"llm_model": "qwen3-4b", "llm_gpus": "a100-3g-20gb-x1", "bc_num_hours": "2"},
        "2 were asked for",
        "Choose 1 hour.",
    ),
    (
        {"llm_model": "qwen3-4b", "llm_gpus": "l40-x1", "llm_qos": "gpu-normal", "bc_num_hours": "48"},
        "QoS gpu-normal allows 24 hours; 48 were asked for",
        "QoS gpu-long allows 168 on these GPUs: choose it or leave QoS on automatic",
    ),
    (
        {"llm_model": "qwen3-4b", "llm_gpus": "h200-x4", "llm_qos": "gpu-normal", "bc_num_hours": "48"},
        "4 × H200 NVL 141 GB may run 24 hours at most; 48 were asked for",
        "with QoS on automatic",
    ),
    # the account
    ({"auto_accounts": "ucb-general --uid=0"}, "--uid=0", "Choose one of your own"),
    ({"auto_accounts": "--uid=0"}, "--uid=0", "Choose one of your own"),
    ({"auto_accounts": "a,b"}, '"a,b"', "Choose one of your own"),
    ({"auto_accounts": "../root"}, "../root", "Choose one of your own"),
    ({"auto_accounts": "ucb\ngeneral"}, "\\n", "choose anew"),
    ({"auto_accounts": "\u00fcb-general"}, "b-general", "Choose one of your own"),
    ({"auto_accounts": "a" * 65}, "aaaa", "Choose one of your own"),
    # what stands under More
    ({"llm_preset": "turbo"}, '"turbo"', "high-throughput"),
    ({"llm_preset": "small"}, '"small"', "quantised"),
    ({"llm_context": "0"}, '"0"', "2,048"),
    ({"llm_context": "32k"}, '"32k"', "2,048"),
    ({"llm_context": "1e5"}, '"1e5"', "131,072"),
    ({"llm_context": "1000000"}, '"1000000"', "131,072"),
    ({"llm_context": "131072", "llm_gpus": "a100-40gb-x2"}, "131,072 tokens", "This works"),
    ({"llm_qos": "gpu-long"}, '"gpu-long"', "automatic"),
    ({"llm_qos": "gpu-testing"}, '"gpu-testing"', "automatic"),
    ({"llm_qos": "normal"}, '"normal"', "automatic"),
    ({"llm_qos": "gpu-normal --uid=0"}, "--uid=0", "automatic"),
    ({"llm_idle_min": "-5"}, '"-5"', "0 means never"),
    ({"llm_idle_min": "1e3"}, '"1e3"', "0 means never"),
    ({"llm_idle_min": "99999999"}, '"99999999"', "10,080"),
    ({"llm_idle_min": "none"}, '"none"', "0 means never"),
    ({"llm_reservation": "ahub2 --uid=0"}, "--uid=0", "Leave it empty"),
    ({"llm_reservation": "$(id)"}, "$(id)", "Leave it empty"),
    ({"llm_reservation": "-Q"}, '"-Q"', "Leave it empty"),
    ({"llm_mail": "yes"}, '"yes"', "1 for yes"),
    ({"llm_mail": "1\n"}, "\\n", "choose anew"),
]


@cache
def ask_all() -> list[dict[str, Any]]:
    """Every launch under every release, in one process."""
    return submit([{"values": {**GOOD, **bad[0]}, "version": version} for version in VERSIONS for bad in BAD])


def refused(version: str) -> list[dict[str, Any]]:
    start = VERSIONS.index(version) * len(BAD)
    return ask_all()[start : start + len(BAD)]


def test_there_are_at_least_sixty_of_them() -> None:
    assert len(BAD) >= 60


@pytest.mark.parametrize("version", VERSIONS)
def test_each_is_refused_by_the_app_itself_and_nothing_reaches_the_portal(version: str) -> None:
    strange = [
        (changes, answer)
        for (changes, _, _), answer in zip(BAD, refused(version), strict=True)
        if answer.get("error") != "CurcLlm::Refusal"
    ]
    assert strange == []


@pytest.mark.parametrize("version", VERSIONS)
def test_each_refusal_names_the_value_and_says_what_to_do(version: str) -> None:
    unhelpful = [
        (changes, answer["message"])
        for (changes, named, helped), answer in zip(BAD, refused(version), strict=True)
        if named not in answer["message"] or helped not in answer["message"] or not answer["remedy"]
    ]
    assert unhelpful == []


def test_each_refusal_is_short_and_its_lines_fit_the_portals_box() -> None:
    for (changes, _, _), answer in zip(BAD, refused("4.2"), strict=True):
        message = answer["message"]
        assert len(message) < 500, changes
        assert max(map(len, answer["lines"])) <= 90, answer["lines"]
        assert message.isprintable(), (changes, message)
        assert message.endswith((".", "?", "!")), message
        assert ".." not in message.replace("../", "").replace("/..", ""), message


def test_a_token_that_was_typed_into_a_field_is_not_repeated() -> None:
    for field in ("llm_model", "llm_own_model", "llm_reservation", "auto_accounts"):
        own = OWN if field == "llm_own_model" else {}
        (answer,) = submit([{"values": {**GOOD, **own, field: "hf_abcdefghijklmnopqrstuvwxyz"}}])
        assert "hf_" not in answer["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_launch_that_they_differ_from_is_accepted(version: str) -> None:
    (answer,) = submit([{"values": GOOD}], version)
    assert "--gres=gpu:a100_80gb:2" in answer["arguments"]


def test_a_launch_with_another_qos_is_not_answered_with_the_launch_that_is_refused() -> None:
    long = {"llm_model": "qwen3-4b", "llm_gpus": "l40-x1", "llm_qos": "gpu-normal", "bc_num_hours": "48"}
    refused, taken = submit([{"values": {**GOOD, **long}}, {"values": {**GOOD, **long, "llm_qos": ""}}])
    assert "L40" not in refused["message"]
    assert taken["submit"]["script"]["qos"] == "gpu-long"


def test_an_account_that_the_portal_does_not_list_as_ones_own_is_refused_with_those_that_it_lists() -> None:
    mine = ["ucb-general", "ucb123_asc1"]
    stranger, own, none = submit(
        [
            {"values": {**GOOD, "auto_accounts": name}, "portal_accounts": mine}
            for name in ("ucb-genral", "ucb123_asc1", "")
        ]
    )
    assert stranger["message"] == (
        'The account is "ucb-genral", but it isn\'t one of yours in Slurm. '
        "Choose one of your own: ucb-general or ucb123_asc1."
    )
    assert "ucb123_asc1" in str(own["arguments"])
    assert none["submit"]["script"]["accounting_id"] is None


@pytest.mark.parametrize("listed", [None, [], "broken"])
def test_where_the_portal_cannot_list_accounts_slurm_decides(listed: object) -> None:
    (answer,) = submit([{"values": {**GOOD, "auto_accounts": "ucb9_asc9"}, "portal_accounts": listed}])
    assert "ucb9_asc9" in str(answer["arguments"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", ["llm_model", "llm_gpus", "bc_num_hours"])
def test_without_one_of_the_three_fields_nothing_is_launched(version: str, field: str) -> None:
    (answer,) = submit([{"values": GOOD, "omit": [field]}], version)
    assert answer["error"] == "CurcLlm::Refusal"
    assert answer["remedy"]


def test_without_an_optional_field_it_is_launched_as_if_that_were_empty() -> None:
    optional = [name for name in GOOD if name.startswith("llm_") and name not in ("llm_model", "llm_gpus")]
    whole, bare = submit([{"values": GOOD}, {"values": GOOD, "omit": optional}])
    assert whole["arguments"] == bare["arguments"]


@pytest.mark.parametrize("value", [["llama-3.3-70b-instruct"], {"a": "b"}, 4, True])
def test_a_value_that_is_no_text_is_refused(value: object) -> None:
    (answer,) = submit([{"values": GOOD, "raw": {"llm_model": value}}])
    assert answer["error"] == "CurcLlm::Refusal"


def test_lists_and_unknown_fields_from_a_browser_are_dropped_as_the_portal_does() -> None:
    values = {**GOOD, "llm_qos": ["gpu-testing"], "native": "--uid=0", "script": {"native": ["--uid=0"]}}
    (answer,) = submit([{"values": values}])
    assert not any("uid" in argument or "testing" in argument for argument in answer["arguments"])
