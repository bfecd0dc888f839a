"""The table of the user's names is true: what is said to be here is here, what is planned isn't yet."""

from __future__ import annotations

import re
from pathlib import Path

import curc_llm
from curc_llm.cli.main import VERBS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "from-the-specification.md"
ROWS = re.findall(r"^\| (.+?) \| (here|planned) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
# Every name that the requirements list.
NAMES = (
    *("setup_environment.sh", "launch_vllm.slurm", "run.sh", "create_tunnel.sh", "connection-info-*.txt"),
    *("CURCLLMClient", "main.py --prompt", "query_openai_compatible.py", "server_config.yaml"),
    *("config.yaml", ".env.example", "basic_chat.py", "streaming_chat.py", "interactive_chat.py"),
)


def test_every_name_of_the_documents_has_a_row() -> None:
    named = " ".join(name for name, _, _ in ROWS)
    assert [name for name in NAMES if name not in named] == []


def test_each_row_has_one_of_the_two_states() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert len(lines) == len(ROWS) + 1  # and the heads


def test_commands_that_are_said_to_be_here_are() -> None:
    named = {verb for _, _, text in ROWS for verb in re.findall(r"`curc-llm (\w+)", text)}
    assert named
    assert named <= set(VERBS)


def test_what_is_planned_is_not_here_yet() -> None:
    planned = [text for _, state, text in ROWS if state == "planned"]
    commands = {verb for text in planned for verb in re.findall(r"the command `(\w+)`", text)}
    assert not commands & set(VERBS)


def test_the_rest_of_what_is_here_is_here() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {name for _, _, text in ROWS for name in re.findall(r"`make (\w+)`", text)} <= set(targets)
    assert all((ROOT / name).exists() for name in ("manifest.yml", "form.yml.erb", "template"))
    assert callable(curc_llm.connect)
    assert all(
        (ROOT / "src/curc_llm/notebook" / f"{name}.py").exists() for name in ("card", "chat", "magics")
    )
