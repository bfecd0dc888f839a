"""`curc-llm launch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import adapter_options, load, verb_options
from curc_llm.cli.output import Output
from curc_llm.cli.plan import read_request, request_options

if TYPE_CHECKING:
    from curc_llm.launch.request import SessionRequest
    from curc_llm.settings import Settings
    from curc_llm.spec import LaunchSpec


@click.command()
@click.argument("model", required=False)
@request_options
@adapter_options
@click.option("--reservation", default="", metavar="NAME", help="Slurm reservation.")
@click.option(
    "--idle-stop-min", type=click.FloatRange(min=0), help="End after so many minutes unused; 0: never."
)
@click.option(
    "--mail",
    is_flag=False,
    flag_value="",
    metavar="[ADDRESS]",
    help="Write an e-mail when the session is ready, to you or to ADDRESS.",
)
@click.option("--requeue", is_flag=True, help="Let Slurm start it again when it loses its node.")
@click.option("--dry-run", is_flag=True, help="Show the batch script and the cost; submit nothing.")
@click.option("--wait", is_flag=True, help="Stay until it is ready, and show how it gets there.")
@verb_options
def launch(
    model: str | None,
    dry_run: bool,
    wait: bool,
    config: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Start a session as a Slurm job.

    MODEL is a name that `curc-llm models` lists, a Hugging Face id, a folder, an entry of your settings, or
    `demo`. What you leave out is chosen for you. It is planned first: what can't work at your centre is
    refused with exit status 3, and you are told what can; nothing is written or submitted then.

    \b
    Examples:
      curc-llm launch llama-3.1-8b-instruct --hours 4
      curc-llm launch gpt-oss-120b --gpu a100_80gb --num-gpus 2 --hours 8 --wait
      curc-llm launch llama-3.1-8b-instruct --embed qwen3-embedding-0.6b
      curc-llm launch qwen3-8b --dry-run
    """  # noqa: D301 - click wants the character
    from curc_llm.cli.interruption import Underway
    from curc_llm.cli.submitting import run_launch

    output = Output(as_json)
    with Underway(output) as underway:
        settings = load(config)
        spec = underway.spec = _make_spec(settings, model, asked)
        run_launch(settings, spec, output, is_dry=dry_run, is_awaited=wait)


def _make_spec(settings: Settings, model: str | None, asked: dict[str, Any]) -> LaunchSpec:
    """The planned spec; a refusal names commands that work.

    Raises:
        ModelDoesNotFitError: it can't work at this site.
    """
    from curc_llm.errors import ModelDoesNotFitError
    from curc_llm.launch.request import make_slurm_spec
    from curc_llm.launch.site_plan import RefusedError

    try:
        return make_slurm_spec(_make_request(settings, model, asked), settings)
    except RefusedError as refusal:
        commands = [
            f"{a.change}: {a.command.replace('curc-llm plan', 'curc-llm launch', 1)}"
            for a in refusal.plan.alternatives
        ]
        remedy = "What fits:\n" + "\n".join(f"         {c}" for c in commands) if commands else refusal.remedy
        raise ModelDoesNotFitError(refusal.message, remedy) from refusal


def _make_request(settings: Settings, model: str | None, asked: dict[str, Any]) -> SessionRequest:
    from pydantic import ValidationError

    from curc_llm.errors import SpecError
    from curc_llm.factfile import explain
    from curc_llm.launch.request import SessionRequest

    names = ("reservation", "idle_stop_min", "mail", "requeue", "adapters", "max_loras", "max_lora_rank")
    own = {name: asked.pop(name) for name in names}
    wanted = read_request(model, asked, settings)
    mail = own.pop("mail")
    named = model or settings.active_model
    if named in settings.models:
        wanted = wanted.model_copy(update={"model": named})
    if asked.get("embed") in settings.models:
        wanted = wanted.model_copy(update={"embed": asked["embed"]})
    try:
        return SessionRequest(plan=wanted, mail_on_ready=mail is not None, mail_user=mail or "", **own)
    except ValidationError as error:
        text = explain(error.errors()[0])
        raise SpecError(f"{text[:1].upper()}{text[1:]}", "Mend that value.") from error
