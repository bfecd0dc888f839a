"""Writes docs/published-deployments.md: `python -m tests.plan.published_page`."""

from __future__ import annotations

from pathlib import Path

from curc_llm.factfile import Source
from tests.plan.published import Deployment, LogEntry, cards, read_deployments, read_logs

PAGE = Path(__file__).parents[2] / "docs" / "published-deployments.md"
HEAD = """# Published deployments

*Written by `python -m tests.plan.published_page` from `tests/plan/data/{deployments,calibration}.yml`;
don't edit it here.*

What other people run with vLLM, and what ran out of memory, planned by the planner's arithmetic. Nothing here
was run by us. Each launch is planned with the settings that its source states, and with vLLM's defaults for
the rest. Entries are never bent to agree: where the planner says otherwise, the row says so and why.
"""
EVIDENCE = """*Measured*: a log, or a person who says that it started or didn't. *Recipe*: a command for that
hardware in a recipe. *Configured*: what a centre's launcher is set to. *Stated*: a sentence.
"""
LAUNCHES_HEAD = """| model | weights | GPUs | spread | settings | published | planned | source |
|---|---|---|---|---|---|---|---|
"""
LOGS = """## Memory that vLLM logged

The KV cache's memory on one GPU, as start-up logs state it and as the planner predicts it, in GiB. The
planner describes vLLM 0.32; for older logs what changed since is undone (the sampler of the trial pass until
0.16, CUDA graphs that were not counted before 0.21). A prediction below the log is cautious; one above would
promise memory that isn't there.

| model | GPU | vLLM | weights logged | predicted | KV cache logged | predicted | difference | source |
|---|---|---|---|---|---|---|---|---|
"""
TOKENS = """## Tokens that the logged memory holds

From the memory that the log states: this compares the KV cache's arithmetic alone. Tests hold it within 2 %.

| model | KV cache (GiB) | context | tokens logged | requests logged | source |
|---|---|---|---|---|---|
"""


def write_page() -> str:
    """The page's text."""
    sources, launches = read_deployments()
    log_sources, logs = read_logs()
    return "\n".join(
        [
            HEAD,
            _count(launches),
            "## What runs\n",
            _launch_table([entry for entry in launches if entry.outcome == "runs"], sources),
            "## What ran out of memory\n",
            _launch_table([entry for entry in launches if entry.outcome != "runs"], sources),
            "## Where we disagree\n",
            _disagreements(launches, sources),
            LOGS + _memory_rows([entry for entry in logs if "memory" in entry.compare], log_sources),
            TOKENS + _token_rows([entry for entry in logs if "tokens" in entry.compare], log_sources),
        ]
    )


def _count(launches: tuple[Deployment, ...]) -> str:
    ran = sum(entry.outcome == "runs" for entry in launches)
    agreed = sum(entry.agrees for entry in launches)
    kinds = ("measured", "recipe", "configured", "stated")
    evidence = ", ".join(f"{sum(entry.evidence == kind for entry in launches)} {kind}" for kind in kinds)
    counted = f"{ran} that run, {len(launches) - ran} that ran out of memory; {evidence}"
    return f"**{agreed} of {len(launches)} agree** ({counted}).\n\n{EVIDENCE}"


def _launch_table(launches: list[Deployment], sources: dict[str, Source]) -> str:
    return LAUNCHES_HEAD + "".join(_launch_row(entry, sources) for entry in launches)


def _launch_row(entry: Deployment, sources: dict[str, Source]) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in entry.settings.items()) or "defaults"
    gpus = f"{entry.num_gpus} x {cards()[entry.card].title.removeprefix('NVIDIA ')}"
    published = entry.outcome.replace("-", " ") + (f": {entry.reported}" if entry.reported else "")
    planned = "the same" if entry.agrees else "**otherwise**"
    cells = (entry.model, entry.format, gpus, _spread(entry), settings, published, planned)
    return f"| {' | '.join(cells)} | {_link(entry, sources)} |\n"


def _spread(entry: Deployment) -> str:
    sizes = {
        "TP": entry.tensor_parallel_size,
        "PP": entry.pipeline_parallel_size,
        "DP": entry.data_parallel_size,
    }
    parts = [f"{name} {size}" for name, size in sizes.items() if size > 1]
    return ", ".join(parts + (["EP"] if entry.enable_expert_parallel else [])) or "one GPU"


def _link(entry: Deployment | LogEntry, sources: dict[str, Source]) -> str:
    source = sources[entry.source]
    url = f"{source.url.replace('/tree/', '/blob/')}/{entry.file}" if entry.file else source.url
    return f"[{source.date}]({url})"


def _disagreements(launches: tuple[Deployment, ...], sources: dict[str, Source]) -> str:
    return "".join(
        f"- `{entry.id}` ({_link(entry, sources)}): published as *{entry.outcome}*. {_sentence(entry.why)}\n"
        for entry in launches
        if not entry.agrees
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _memory_rows(logs: list[LogEntry], sources: dict[str, Source]) -> str:
    return "".join(_memory_row(entry, sources) for entry in logs)


def _memory_row(entry: LogEntry, sources: dict[str, Source]) -> str:
    logged, predicted = entry.kv_cache_gib or 0.0, entry.predict_kv_gib()
    # Adding zero turns -0.0 into 0.0.
    difference = round(predicted - logged, 1) + 0.0
    card = cards()[entry.card].title.removeprefix("NVIDIA ")
    spread = f", TP {entry.tensor_parallel_size}" if entry.tensor_parallel_size > 1 else ""
    weights = f"{entry.weights_gib:.1f}" if entry.weights_gib else ""
    return (
        f"| {entry.model} | {card}{spread} | {entry.vllm} | {weights} | {entry.plan().split.weights_gib:.1f}"
        f" | {logged:.1f} | {predicted:.1f} | {difference:+.1f} | {_link(entry, sources)} |\n"
    )


def _token_rows(logs: list[LogEntry], sources: dict[str, Source]) -> str:
    return "".join(
        f"| {entry.model} | {entry.kv_cache_gib} | {entry.max_model_len:,} | {entry.kv_cache_tokens:,}"
        f" | {entry.max_concurrency or ''} | {_link(entry, sources)} |\n"
        for entry in logs
    )


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
