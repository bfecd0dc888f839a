"""`curc-llm gpus`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import check_site, load, verb_options
from curc_llm.cli.output import Output, choose_fitting, fold, render_table, screen_columns

if TYPE_CHECKING:
    from curc_llm.sites.lookup import SiteGpu
    from curc_llm.sites.site import QosLimit, Site

HEADS = (
    "PARTITION",
    "GPU TYPE",
    "MEMORY",
    "PER NODE",
    "NODES",
    "QOS: HOURS, MOST GPUS EACH",
    "PER GPU-H",
    "",
)


@click.command()
@click.option(
    "--site",
    "site_name",
    metavar="NAME|FILE",
    callback=check_site,
    help="Another site than the one in your settings.",
)
@verb_options
def gpus(site_name: str | None, config: Path | None, as_json: bool) -> None:
    """List the GPUs that a site has, with their limits and prices."""
    from curc_llm.sites.load import load_site
    from curc_llm.sites.lookup import list_gpus

    output = Output(as_json)
    wanted = site_name or load(config).site
    site = load_site(wanted)
    found = list_gpus(site)
    rows = [_row(gpu, site) for gpu in found]
    columns = screen_columns()
    text = choose_fitting(_render_tables(rows, columns or 80), columns)
    output.data(text, [_describe(g, site) for g in found])
    output.say(f"{site.title}. Figures and their sources: curc-llm site show {wanted}")


def _row(gpu: SiteGpu, site: Site) -> list[str]:
    limits = "; ".join(_render_limit(name, limit, site) for name, limit in gpu.gpu_type.qos.items())
    price = gpu.gpu_type.su_per_gpu_h
    return [
        gpu.partition_name,
        gpu.name,
        f"{gpu.card.memory_gb:g} GB",
        str(gpu.gpus_per_node),
        str(gpu.partition.nodes),
        limits or "no limits",
        f"{price:g} {site.billing.unit}" if price else "free",
        ", ".join(_list_remarks(gpu, site)),
    ]


def _render_tables(rows: Sequence[Sequence[str]], columns: int) -> Iterator[str]:
    """The list for a wide, a usual and a narrow terminal."""
    yield render_table(HEADS, rows)
    yield _render_narrow(rows, columns)
    blocks = []
    for part, name, memory, each, nodes, limits, price, remarks in rows:
        figures = "; ".join(filter(None, (f"{memory}, {nodes} x {each}, {price} per hour", limits, remarks)))
        blocks.append(f"{name} ({part})\n{fold(f'    {figures}', columns, '    ')}")
    yield "\n".join(blocks)


def _render_narrow(rows: Sequence[Sequence[str]], columns: int) -> str:
    """The table for a narrow terminal: limits and remarks below each other in the last column."""
    cells = [
        [part, name, memory, f"{nodes} x {each}", price]
        for part, name, memory, each, nodes, _, price, _ in rows
    ]
    heads = ("PARTITION", "GPU TYPE", "MEMORY", "NODES", "GPU-HOUR")
    room = max(18, columns - _width([heads, *cells]) - 2)
    table: list[Sequence[str]] = []
    for row, start in zip(rows, cells, strict=True):
        parts = filter(None, (*row[5].split("; "), row[7]))
        rest = [line for part in parts for line in fold(part, room).split("\n")]
        table += [[*(start if place == 0 else [""] * len(start)), text] for place, text in enumerate(rest)]
    return render_table([*heads, "LIMITS"], table)


def _width(rows: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))


def _render_limit(name: str, limit: QosLimit, site: Site) -> str:
    most = f", {limit.max_gpus_per_user}" if limit.max_gpus_per_user else ""
    return f"{name} {site.qos[name].max_time_h:g} h{most}"


def _list_remarks(gpu: SiteGpu, site: Site) -> list[str]:
    """What makes a GPU type unlike the others."""
    tests_only = bool(gpu.gpu_type.qos) and all(site.qos[name].is_for_tests for name in gpu.gpu_type.qos)
    remarks = {
        "MIG": gpu.card.is_mig,
        "AMD": gpu.card.vendor == "amd",
        "no GPU": gpu.card.vendor == "cpu",
        "ARM": gpu.partition.arch == "aarch64",
        "tests only": tests_only,
        "on request": gpu.gpu_type.on_request,
        gpu.gpu_type.note: bool(gpu.gpu_type.note),
    }
    return [remark for remark, holds in remarks.items() if holds]


def _describe(gpu: SiteGpu, site: Site) -> dict[str, Any]:
    """The row for scripts: fixed keys, None where nothing is known."""
    return {
        "site": site.name,
        "partition": gpu.partition_name,
        "gpu_type": gpu.name,
        "gres": gpu.gres,
        "title": gpu.card.title,
        "vendor": gpu.card.vendor,
        "memory_gb": gpu.card.memory_gb,
        "memory_gib": gpu.card.memory_gib,
        "gpus_per_node": gpu.gpus_per_node,
        "nodes": gpu.partition.nodes,
        "max_nodes_per_job": gpu.partition.max_nodes_per_job,
        "max_cores_per_gpu": gpu.gpu_type.max_cores_per_gpu,
        "max_memory_per_gpu_gib": gpu.gpu_type.max_memory_per_gpu_gib,
        "su_per_gpu_h": gpu.gpu_type.su_per_gpu_h,
        "qos": {name: _describe_limit(name, limit, site) for name, limit in gpu.gpu_type.qos.items()},
        "remarks": _list_remarks(gpu, site),
    }


def _describe_limit(name: str, limit: QosLimit, site: Site) -> dict[str, Any]:
    return {"max_time_h": site.qos[name].max_time_h, "max_gpus_per_user": limit.max_gpus_per_user}
