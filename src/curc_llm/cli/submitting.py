"""Handing a session to Slurm from the terminal: the submission, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curc_llm.cli.output import Output, render_pairs
from curc_llm.errors import SlurmError
from curc_llm.launch.slurm import launch_slurm, make_submission
from curc_llm.sites.load import load_site
from curc_llm.slurm.command import Slurm

if TYPE_CHECKING:
    from curc_llm.plan.plan import Plan
    from curc_llm.settings import Settings
    from curc_llm.sites.site import Site
    from curc_llm.spec import LaunchSpec


def run_launch(
    settings: Settings, spec: LaunchSpec, output: Output, *, is_dry: bool, is_awaited: bool
) -> None:
    """Submits a planned session and tells what came of it.

    Args:
        settings: the person's own.
        spec: planned for the settings' site.
        output: where it is told.
        is_dry: show what would be submitted, and submit nothing.
        is_awaited: stay until the session is ready.

    Raises:
        SlurmError: Slurm refuses the job; nothing of it is left.
    """
    site = load_site(settings.site)
    plan = spec.origins[0].plan if spec.origins else None
    for note in plan.warnings if plan is not None else ():
        output.say(f"Note: {note}")
    if is_dry:
        _show_submission(spec, site, plan, output)
    else:
        _submit(spec, site, plan, output, is_awaited=is_awaited)


def _submit(spec: LaunchSpec, site: Site, plan: Plan | None, output: Output, *, is_awaited: bool) -> None:
    slurm = Slurm()
    job_id = launch_slurm(spec, site.runtime, slurm)
    value = {
        "session_id": spec.session_id,
        "job_id": job_id,
        "status": "queued",
        "session_dir": str(spec.session_dir),
        **_cost(plan),
    }
    text = f"Session {spec.session_id} is submitted as job {job_id}.\n\n"
    pairs = [*_pairs(spec, site, plan), *([] if is_awaited else _next_steps(spec.session_id))]
    text += render_pairs(pairs) + "\n"
    if is_awaited:
        from curc_llm.cli.awaiting import wait_for_session

        output.say(text)
        wait_for_session(spec, slurm, output)
    else:
        output.data(text, value)


def _show_submission(spec: LaunchSpec, site: Site, plan: Plan | None, output: Output) -> None:
    from curc_llm.slurm.start import expect_start

    made = make_submission(spec, site.runtime)
    slurm = Slurm()
    value: dict[str, Any] = {
        "session_id": spec.session_id,
        "job_id": None,
        "status": "not submitted",
        "script": made.script,
        "expected_start_at": None,
        **_cost(plan),
    }
    refusal: SlurmError | None = None
    if slurm.is_here():
        try:
            expected = expect_start(slurm, made.request)
            value["expected_start_at"] = expected.at
            output.say(f"Slurm would take it{_render_start(expected.at)}.")
        except SlurmError as error:  # the script is shown all the same: perhaps it tells why
            refusal = error
    text = f"{made.script}\n{render_pairs(_pairs(spec, site, plan))}\n"
    output.data(text, value, "Nothing was submitted.")
    if refusal is not None:
        raise refusal


def _render_start(at: float | None) -> str:
    import time

    from curc_llm.client.progress import render_duration

    if at is None:
        return "; when it would start, it can't tell"
    left_s = at - time.time()
    return " and start it at once" if left_s < 60 else f" and start it in about {render_duration(left_s)}"


def _cost(plan: Plan | None) -> dict[str, float | None]:
    if plan is None:
        return {"su_per_h": None, "su_total": None}
    return {"su_per_h": plan.su_per_h, "su_total": plan.su_total}


def _pairs(spec: LaunchSpec, site: Site, plan: Plan | None) -> list[tuple[str, str]]:
    """What is launched, and what it costs."""
    slurm = spec.slurm
    assert slurm is not None  # noqa: S101 - it was made for Slurm
    names = ", ".join(dict.fromkeys(engine.served_model_name for engine in spec.engines))
    names = f"{plan.replicas} replicas of {names}" if plan is not None and plan.replicas > 1 else names
    where = f"{slurm.partition} ({slurm.qos})" if slurm.qos else slurm.partition
    what = slurm.gres.removeprefix("gpu:") or "no GPU"
    if what.isdigit():  # the site asks for GPUs without a type
        what = "1 GPU" if what == "1" else f"{what} GPUs"
    what = f"{slurm.nodes} nodes with {what} each" if slurm.nodes > 1 else what
    pairs = [("Model", names), ("Runs on", f"{what}, {where} at {site.title}")]
    if plan is not None and plan.su_total is not None and plan.hours is not None:
        unit = site.billing.unit
        at_most = f"at most {plan.su_total:,.0f} {unit} for {plan.hours:g} h"
        pairs.append(("Cost", f"{at_most} ({plan.su_per_h:,.1f} {unit} per hour)"))
    if spec.hand_over_s:
        rate = plan.su_per_h if plan is not None and plan.su_per_h else 0.0
        cost = f", {rate * spec.hand_over_s / 3600:,.0f} {site.billing.unit} more at most" if rate else ""
        pairs.append(("Goes on", f"for {spec.hand_over_s / 3600:g} h more in further jobs{cost}"))
    if spec.idle_stop_min:
        pairs.append(("Idle stop", f"after {spec.idle_stop_min:g} min without a request"))
    return pairs


def _next_steps(session_id: str) -> list[tuple[str, str]]:
    return [
        ("Watch", f"curc-llm status {session_id} --watch"),
        ("Use", f"curc-llm endpoint {session_id}"),
        ("Stop", f"curc-llm stop {session_id}"),
    ]
