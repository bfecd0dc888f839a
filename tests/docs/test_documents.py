"""Every command, file and link that the documents name exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from curc_llm.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?m)(?:^|`)curc-llm ([a-z]+)((?: +(?:--?[a-z][a-z-]*|[^\s`|)#;,.]+))*)")


def find_command(name: str) -> click.Command | None:
    return cli.get_command(click.Context(cli), name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_command_and_flag_exists(path: Path) -> None:
    wrong = []
    for name, rest in COMMAND.findall(path.read_text()):
        command = find_command(name)
        if command is None:
            wrong.append(name)
            continue
        context = click.Context(command)
        commands = [command]
        if isinstance(command, click.Group):
            commands += [c for n in command.list_commands(context) if (c := command.get_command(context, n))]
        known = {o for c in commands for p in c.get_params(context) for o in (*p.opts, *p.secondary_opts)}
        wrong += [f"{name} {flag}" for flag in re.findall(r"(?<!\S)--[a-z-]+", rest) if flag not in known]
    assert wrong == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_names_both_commands_and_make_has_what_it_names() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"\bmake ([a-z-]+)", readme)) <= targets
