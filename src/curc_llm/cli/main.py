"""`curc-llm`: finds the verb, runs it, and turns errors into text.

A verb's file is imported when it is called, so that `curc-llm --help` and completion stay quick.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from curc_llm.cli.output import print_error
from curc_llm.errors import CurcLlmError, ModelDoesNotFitError

REFUSED = 3  # a launch that is bound to fail
INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended (128 + SIGINT)

# In the order in which a new person needs them. The text is the verb's own first line; a test compares them.
VERBS = {
    "demo": "Start a session on this machine with the bundled model and open it to you.",
    "serve": "Start a session on this machine that serves one or more models.",
    "launch": "Start a session as a Slurm job.",
    "repeat": "Launch an earlier session's job again, just as it was.",
    "ls": "List your sessions.",
    "status": "Show how a session is doing.",
    "ask": "Ask a question; the answer alone goes to standard output.",
    "chat": "Chat with a session's model in the terminal.",
    "chats": "List, search, export, import and delete your saved chats.",
    "prompts": "List, show, save and delete the system prompts of your library.",
    "batch": "Ask a file of prompts, row by row, and write the answers to another file.",
    "endpoint": "Print address, key file and ready-to-paste snippets of a session.",
    "tunnel": "Open a way from your own computer to a session on the cluster, and keep it open.",
    "logs": "Show what a session wrote into its logs.",
    "keys": "Make, list and revoke API keys of a session.",
    "share": "Let a lab-mate into a session: a chat and a key of their own, which you can take back.",
    "restart": "Start a model again that failed for good in a session that still runs.",
    "swap": "Exchange a running session's model for another one on the same GPUs.",
    "adapter": "Add, remove and list LoRA adapters of a running session.",
    "stop": "End a session and everything that it started.",
    "models": "List, show and verify the models of the catalogue.",
    "plan": "Work out what a launch needs, costs and gives, or why it can't work and what can.",
    "table": "Write the table of plans that the OnDemand form looks things up in.",
    "gpus": "List the GPUs that a site has, with their limits and prices.",
    "capacity": "Show which GPUs are idle now, and when a launch would start on each type.",
    "cost": "Show what sessions and jobs have cost so far, beside what was planned.",
    "site": "List, show and check the descriptions of Slurm centres.",
    "preflight": "Look at several nodes together: whether they see each other, how fast, and are alike.",
    "accept": "For the centre's staff: launch a small session and check every promise of the card.",
    "doctor": "Check whether this machine can run sessions, and say what to mend.",
    "fetch": "Download a model before its GPU hours are spent, and check that it is whole.",
    "token": "Store your Hugging Face token, which gated models need, in a file that only you can read.",
    "completion": "Print the script that lets your shell complete curc-llm's commands.",
}


class VerbGroup(click.Group):
    """The group of verbs, each imported at its first use."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The verbs in the order of the help."""
        return list(VERBS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """The verb of that name, None when there is none."""
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(f"curc_llm.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a slip of ours, not of the person's
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs the command line and leaves with its exit status.

        0; 1 for a failure, 2 for wrong usage, 3 for a launch that can't work, 130 for Ctrl-C.
        """
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except CurcLlmError as error:
            code = _fail(error.message, error.remedy)
            code = REFUSED if isinstance(error, ModelDoesNotFitError) else code
        except BrokenPipeError:
            # The reader (`| head`) has gone. Point stdout away, or Python complains again while it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except Exception as error:  # noqa: BLE001 - the last line of defence: never a traceback
            code = _fail(f"Something unforeseen happened ({type(error).__name__}: {error}).", BUG_REMEDY)
        sys.exit(code if isinstance(code, int) else 0)


BUG_REMEDY = "Please report it; CURC_LLM_DEBUG=1 in front of the command shows where it happened."


def _fail(message: str, remedy: str) -> int:
    if os.environ.get("CURC_LLM_DEBUG") == "1":
        raise  # noqa: PLE0704 - called from an except block, for the traceback that was asked for
    print_error(message, remedy)
    return 1


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        import curc_llm

        click.echo(f"curc-llm {curc_llm.__version__}")
        ctx.exit()


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Every command takes --json, and -c FILE for a settings file. Start with: curc-llm demo",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and leave.",
)
def cli() -> None:
    """Your own language model as a job: chat page, Python and an OpenAI-compatible endpoint."""


def main(args: Sequence[str] | None = None) -> None:
    """Entry point of the `curc-llm` command."""
    cli.main(args=args, prog_name="curc-llm")


if __name__ == "__main__":
    main()
