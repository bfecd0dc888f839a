"""`curc-llm capacity`."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, render_table

if TYPE_CHECKING:
    from curc_llm.plan.facts import Facts
    from curc_llm.plan.offer import Offer
    from curc_llm.slurm.capacity import Capacity
    from curc_llm.slurm.command import Slurm
    from curc_llm.slurm.start import ExpectedStart

HEADS = ("PARTITION", "GPU TYPE", "IDLE", "ON A NODE", "OPEN", "ALL", "STARTS")
# Questions at a time: a login node's Slurm is everyone's.
_AT_ONCE = 4


class Row(NamedTuple):
    """One kind of GPU.

    Args:
        offer: the kind.
        capacity: what is free; None when Slurm is silent.
        expected: when a launch would start; None where it can't have these GPUs.
        reason: why it can't.
    """

    offer: Offer
    capacity: Capacity | None
    expected: ExpectedStart | None
    reason: str = ""


@click.command()
@click.option("--gpu", "gpu_type", metavar="TYPE", help="Only this GPU type, as `curc-llm gpus` lists them.")
@click.option(
    "--num-gpus", type=click.IntRange(min=1), default=1, help="GPUs of the launch that would start."
)
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Its wall time in hours.")
@click.option("--account", default="", help="Whom it would be charged to.")
@click.option("--site", metavar="NAME|FILE", help="Another site than the one in your settings.")
@verb_options
def capacity(
    gpu_type: str | None,
    num_gpus: int,
    hours: float | None,
    account: str,
    site: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Show which GPUs are idle now, and when a launch would start on each type.

    IDLE are GPUs that nobody holds on nodes that take jobs (OPEN), ON A NODE the most of them on one node.
    STARTS is what Slurm expects of a job with --num-gpus GPUs; nothing is launched. It says unknown where
    Slurm doesn't answer.

    \b
    Examples:
      curc-llm capacity
      curc-llm capacity --gpu a100_80gb --num-gpus 2 --hours 8
    """  # noqa: D301 - click wants the character
    from curc_llm.plan.facts import load_facts
    from curc_llm.plan.offer import find_offers
    from curc_llm.slurm.capacity import ask_capacity
    from curc_llm.slurm.command import Slurm

    facts, slurm, output = load_facts(load(config), site), Slurm(), Output(as_json)
    offers = find_offers(facts.offers, facts.site, None, gpu_type)
    free = ask_capacity(slurm, facts.site)
    by_kind = {(c.gpu.partition_name, c.gpu.name): c for c in free or ()}

    def ask(offer: Offer) -> Row:
        found = by_kind.get((offer.partition_name, offer.gpu_name))
        if free is None:
            return Row(offer, None, _unknown())
        return Row(offer, found, *_expect(slurm, facts, offer, num_gpus, hours, account))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rows = list(pool.map(ask, offers))
    now = time.time()
    output.data(
        render_table(HEADS, [_render(row, now) for row in rows]),
        [_describe(row, facts.site.name, num_gpus) for row in rows],
        "\n".join(_remarks(rows)),
    )
    if free is None:
        output.say("Slurm is silent, so nothing is known at the moment. Try again in a minute.")


def _unknown() -> ExpectedStart:
    from curc_llm.slurm.start import ExpectedStart

    return ExpectedStart()


def _expect(
    slurm: Slurm, facts: Facts, offer: Offer, num_gpus: int, hours: float | None, account: str
) -> tuple[ExpectedStart | None, str]:
    from curc_llm.errors import PlanError, SlurmError
    from curc_llm.slurm.probe import make_probe
    from curc_llm.slurm.start import expect_start

    wishes = facts.defaults.hours
    try:
        probe = make_probe(facts.site, offer, num_gpus, hours=hours, default_hours=wishes, account=account)
        return expect_start(slurm, probe), ""
    except (PlanError, SlurmError) as error:
        return None, error.message


def _render(row: Row, now: float) -> list[str]:
    found = row.capacity
    counts = [found.idle, found.most_on_one_node, found.open, found.total] if found else ["?"] * 4
    starts = "no" if row.expected is None else render_start(row.expected.at, now)
    return [row.offer.partition_name, row.offer.gpu_name, *map(str, counts), starts]


def render_start(at: float | None, now: float) -> str:
    """When a job would begin, as people say it; `unknown` where Slurm can't tell.

    Args:
        at: Unix time.
        now: likewise.

    Example:
        >>> render_start(None, 0), render_start(30, 0), render_start(5400, 0)
        ('unknown', 'now', 'in 1 h 30 min')
    """
    if at is None:
        return "unknown"
    minutes = round((at - now) / 60)
    if minutes < 2:
        return "now"
    if minutes < 60:
        return f"in {minutes} min"
    if minutes < 24 * 60:
        return f"in {minutes // 60} h {minutes % 60} min"
    return time.strftime("%a %d %b %H:%M", time.localtime(at))


def _remarks(rows: Sequence[Row]) -> list[str]:
    """Why launches can't have what was asked for."""
    told = [f"{row.offer.gpu_name}: {row.reason}" for row in rows if row.expected is None]
    return [textwrap.fill(line, 80, subsequent_indent="  ") for line in told]


def _describe(row: Row, site: str, num_gpus: int) -> dict[str, Any]:
    """The row for scripts: fixed keys, None where nothing is known."""
    found = row.capacity
    return {
        "site": site,
        "partition": row.offer.partition_name,
        "gpu_type": row.offer.gpu_name,
        "idle": found.idle if found else None,
        "most_on_one_node": found.most_on_one_node if found else None,
        "open": found.open if found else None,
        "total": found.total if found else None,
        "num_gpus": num_gpus,
        "expected_start_at": row.expected.at if row.expected else None,
        "refused": row.reason,
    }
