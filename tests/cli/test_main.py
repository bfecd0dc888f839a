from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from curc_llm.cli.main import VERBS, cli
from tests.cli.conftest import Run
from tests.fakes.fake_session import FakeSession

Spawn = Callable[..., subprocess.CompletedProcess[str]]
GROUPS = {"chats", "keys", "models", "prompts", "site"}
MOST_CPU_S = 0.35


def test_the_help_says_of_each_verb_what_the_verb_says_of_itself() -> None:
    context = click.Context(cli)
    for name, text in VERBS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert (command.help or "").partition("\n")[0] == text, name


@pytest.mark.parametrize(
    "verb", [v for v in VERBS if v not in {"adapter", "chats", "keys", "models", "prompts", "share", "site"}]
)
def test_every_verb_takes_json_and_a_settings_file(run: Run, verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    assert "--config" in result.stdout


def test_errors_are_two_lines_of_text_and_no_traceback(run: Run) -> None:
    result = run("status")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "Error: No session is running.",
        "       Start one with: curc-llm demo, or curc-llm serve MODEL",
    ]


@pytest.mark.parametrize(
    "args", [["no-such-verb"], ["ls", "--nonsense"], ["ask"], ["serve", "--port", "99999"]]
)
def test_wrong_usage_ends_with_two(run: Run, args: list[str]) -> None:
    assert run(*args).exit_code == 2


def test_a_settings_file_that_is_not_there_is_named(run: Run) -> None:
    result = run("ls", "-c", "/no/such.yml")
    assert result.exit_code == 1
    assert "/no/such.yml" in result.stderr


def test_what_nobody_foresaw_is_told_in_a_sentence(run: Run, fake: FakeSession) -> None:
    fake.paths.logs.chmod(0o700)
    log = fake.paths.log("engine-curc-guide")
    log.mkdir()
    (fake.paths.root / "keys.json").write_bytes(b"\xff")
    result = run("keys", "list")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")


def test_debugging_shows_the_traceback(spawn: Spawn) -> None:
    result = spawn("status", env={**os.environ, "CURC_LLM_DEBUG": "1"})
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_the_version_is_told(run: Run) -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("curc-llm ")
    assert result.stdout.split()[1][0].isdigit()


def test_a_reader_that_goes_away_is_no_traceback(state_dir: Path) -> None:
    shell = f"{sys.executable} -m curc_llm.cli.main completion bash | true"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30)
    assert "Traceback" not in result.stderr
    assert "Error" not in result.stderr


def _cpu_s(command: list[str]) -> float:
    """The least CPU time of three runs, so that a busy machine counts little."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("args", [["--help"], ["ls"]])
def test_quick_commands_take_little_more_than_their_imports(fake: FakeSession, args: list[str]) -> None:
    unavoidable = _cpu_s([sys.executable, "-c", "import click, pydantic, yaml, pydantic.fields"])
    taken = _cpu_s([sys.executable, "-m", "curc_llm.cli.main", *args])
    assert taken < max(MOST_CPU_S, 2.2 * unavoidable)


@pytest.mark.parametrize("args", ["--help", "ls", "status"])
def test_quick_commands_import_nothing_heavy(fake: FakeSession, args: str) -> None:
    code = f"""
import sys
from curc_llm.cli.main import main
try:
    main(["{args}"])
except SystemExit:
    heavy = {{"openai", "rich", "prompt_toolkit", "asyncio", "urllib.request", "ssl", "gradio", "uvicorn"}}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_CURC_LLM_COMPLETE" in result.stdout


def test_the_shell_completes_session_ids(spawn: Spawn, fake: FakeSession) -> None:
    words = {"COMP_WORDS": "curc-llm status local-", "COMP_CWORD": "2", "_CURC_LLM_COMPLETE": "bash_complete"}
    result = spawn(env={**os.environ, **words})
    assert result.stdout.strip() == "plain,local-fake01"


def test_broken_settings_complete_nothing_and_print_nothing(spawn: Spawn, fake: FakeSession) -> None:
    words = {"COMP_WORDS": "curc-llm status local-", "COMP_CWORD": "2", "_CURC_LLM_COMPLETE": "bash_complete"}
    result = spawn(env={**os.environ, **words, "CURC_LLM_PORT_MIN": "many"})
    assert (result.stdout.strip(), result.stderr) == ("", "")
