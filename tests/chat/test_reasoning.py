from __future__ import annotations

import json
from pathlib import Path

import pytest

from curc_llm.chat.reasoning import Reasoning, find_reasoning, load_reasoning
from curc_llm.spec import DEMO_MODEL_DIR

SWITCH = Reasoning(("off", "on"), "enable_thinking")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{% if enable_thinking is defined and enable_thinking is false %}x{% endif %}", SWITCH),
        ("{{ bos }}{% if not thinking is defined %}{% set thinking = false %}{% endif %}", ("off", "on")),
        ("{%- if thinking %}think{% endif %}", ("off", "on")),
        (
            "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}",
            ("low", "medium", "high"),
        ),
        ("{% if reasoning_effort not in ['none', 'high'] %}{% endif %}", ("none", "high")),
        (
            "{% if enable_thinking %}{{ reasoning_effort }}{% endif %}",
            ("none", "low", "medium", "high"),
        ),
        # Words that aren't the variable.
        ("I am thinking about enable_thinking and reasoning_effort.", ()),
        ("{{ message.thinking }}{{ message['thinking'] }}{{ m.enable_thinking }}", ()),
        ("{% if 'enable_thinking' in message %}{% endif %}", ()),
        ("{% if thinking == 3 %}{% endif %}", ("off", "on")),
        ("", ()),
        ("{% if", ()),
    ],
)
def test_the_models_own_template_says_what_it_can_be_told(
    template: str, found: Reasoning | tuple[str, ...]
) -> None:
    reasoning = find_reasoning(template)
    assert (reasoning if isinstance(found, Reasoning) else reasoning.levels) == found


def test_the_template_is_found_wherever_models_keep_it(tmp_path: Path) -> None:
    template = "{% if enable_thinking %}{% endif %}"
    assert load_reasoning(tmp_path) == Reasoning()
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"chat_template": template}))
    assert load_reasoning(tmp_path) == SWITCH
    named = [{"name": "tool_use", "template": ""}, {"name": "default", "template": template}, "odd"]
    config.write_text(json.dumps({"chat_template": named}))
    assert load_reasoning(tmp_path) == SWITCH
    (tmp_path / "chat_template.jinja").write_text("{{ reasoning_effort }}")
    assert load_reasoning(tmp_path).levels == ("low", "medium", "high")


def test_models_whose_prompt_vllm_writes_itself_are_known_by_their_type(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "deepseek_v4"}')
    assert load_reasoning(tmp_path).to_request("max") == {"reasoning_effort": "max"}
    (tmp_path / "config.json").write_text('{"model_type": "deepseek_v32"}')
    assert load_reasoning(tmp_path).to_request("on") == {"chat_template_kwargs": {"thinking": True}}


@pytest.mark.parametrize("content", ["", "not json", "[1]", '{"chat_template": 3}', '{"chat_template": []}'])
def test_files_that_cant_be_read_offer_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer_config.json").write_text(content)
    assert load_reasoning(tmp_path) == Reasoning()
    assert load_reasoning(tmp_path / "none") == load_reasoning(None) == Reasoning()


def test_a_template_without_end_isnt_read(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("{{ enable_thinking }}" + " " * 2**20)
    assert load_reasoning(tmp_path) == Reasoning()


def test_the_bundled_model_doesnt_reason() -> None:
    assert load_reasoning(DEMO_MODEL_DIR) == Reasoning()
