"""`curc-llm completion`."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from curc_llm.cli.options import verb_options
from curc_llm.cli.output import Output

LOAD_LINES = {
    "bash": 'eval "$(curc-llm completion bash)"  in ~/.bashrc',
    "zsh": 'eval "$(curc-llm completion zsh)"  in ~/.zshrc, after compinit',
    "fish": "curc-llm completion fish > ~/.config/fish/completions/curc-llm.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(LOAD_LINES)))
@verb_options
def completion(shell: str, config: Path | None, as_json: bool) -> None:  # noqa: ARG001 - every verb takes -c
    """Print the script that lets your shell complete curc-llm's commands.

    \b
    bash   eval "$(curc-llm completion bash)"   in ~/.bashrc
    zsh    eval "$(curc-llm completion zsh)"    in ~/.zshrc, after compinit
    fish   curc-llm completion fish > ~/.config/fish/completions/curc-llm.fish
    """  # noqa: D301 - click wants the character
    from curc_llm.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"This version of click can't complete in {shell}.")
    script = kind(cli, {}, "curc-llm", "_CURC_LLM_COMPLETE").source()
    Output(as_json).data(script, {"shell": shell, "script": script, "load": LOAD_LINES[shell]})
