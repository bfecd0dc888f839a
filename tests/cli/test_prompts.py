"""`curc-llm prompts`: what a person and a script see of it."""

from __future__ import annotations

import json
from pathlib import Path

from curc_llm.chats.prompts import PromptLibrary
from curc_llm.cli.prompts import complete_prompt
from tests.cli.conftest import Run


def test_the_library_is_listed_with_what_everybody_has(run: Run, state_dir: Path) -> None:
    assert run("prompts", "add", "Zebra", "Answer in stripes. " * 9).exit_code == 0
    lines = run("prompts", "ls").stdout.splitlines()
    assert lines[0].split() == ["NAME", "WHOSE", "TEXT"]
    assert lines[1].split()[:2] == ["Zebra", "yours"]
    assert lines[1].endswith("…")
    assert "built in" in lines[2]
    assert json.loads(run("prompts", "ls", "--json").stdout)[0]["name"] == "Zebra"


def test_a_prompt_is_shown_as_it_was_saved(run: Run) -> None:
    assert run("prompts", "add", "A", typed="One\n\x1b[2Jtwo").exit_code == 0
    assert run("prompts", "show", "a", "--json").exit_code == 0
    shown = run("prompts", "show", "a").stdout
    assert "One\n" in shown
    assert "\x1b" not in shown


def test_a_prompt_is_replaced_only_when_asked_for(run: Run) -> None:
    run("prompts", "add", "A", "one")
    refused = run("prompts", "add", "A", "two")
    assert (refused.exit_code, "already" in refused.stderr) == (1, True)
    assert run("prompts", "add", "A", "two", "--replace").exit_code == 0
    assert run("prompts", "show", "A").stdout == "two\n"


def test_deleting_says_how_to_undo_it(run: Run, state_dir: Path) -> None:
    run("prompts", "add", "A", "one")
    said = run("prompts", "rm", "A").stderr
    assert run("prompts", "show", "A").exit_code == 1
    assert "A" in run("prompts", "ls", "--deleted").stdout
    command = said.strip().partition("curc-llm ")[2].split()
    assert run(*command).exit_code == 0
    assert run("prompts", "show", "A").stdout == "one\n"
    assert [one.name for one in PromptLibrary(state_dir).list(deleted=True)] == []


def test_names_are_completed(run: Run, state_dir: Path) -> None:
    import click

    from curc_llm.cli.prompts import show

    run("prompts", "add", "zebra", "one")
    context = click.Context(show)
    assert complete_prompt(context, show.params[0], "ZE") == ["zebra"]
    (state_dir / "prompts.jsonl").unlink()
    (state_dir / "prompts.jsonl").mkdir()
    assert complete_prompt(context, show.params[0], "z") == []
