"""`curc-llm models show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, fold, render_pairs, render_table, screen_columns

if TYPE_CHECKING:
    from curc_llm.catalogue.architecture import AttentionGroup
    from curc_llm.catalogue.lookup import Found
    from curc_llm.catalogue.model import Catalogue, Model
    from curc_llm.factfile import Source

HEADS = ("WEIGHTS", "GIB", "HUGGING FACE ID", "REVISION", "")


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    from curc_llm.cli.models import complete_model

    return complete_model(ctx, parameter, incomplete)


@click.command()
@click.argument("name", shell_complete=_complete)
@verb_options
def show(name: str, config: Path | None, as_json: bool) -> None:
    """Show all figures of a model (a name, a Hugging Face id or a folder), and where each comes from."""
    from curc_llm.catalogue.hub import read_hub_model
    from curc_llm.catalogue.lookup import find_model
    from curc_llm.cli.models import read_catalogue

    catalogue = read_catalogue(config)
    found = find_model(name, catalogue, None if load(config).offline else read_hub_model)
    sources = list_sources(found.model, catalogue)
    named = {key: source.model_dump(mode="json") for key, (source, _) in sources.items()}
    data = {"name": found.name, **found.model.model_dump(mode="json"), "source_details": named}
    Output(as_json).data(_render(found, sources), data)


def list_sources(model: Model, catalogue: Catalogue) -> dict[str, tuple[Source, list[str]]]:
    """The sources of a model's figures by key, each with what comes from it."""
    used: dict[str, list[str]] = {model.source: ["all that follows"]}
    for field, key in model.sources.items():
        used.setdefault(key, []).append(field)
    for weights in model.weights:
        for key in filter(None, (weights.source, *weights.sources.values())):
            used.setdefault(key, []).append(f"weights {weights.format}")
    return {key: (catalogue.sources[key], what) for key, what in used.items() if key in catalogue.sources}


def _render(found: Found, sources: dict[str, tuple[Source, list[str]]]) -> str:
    model = found.model
    title = f"{model.title} ({found.name})"
    parts = [title, render_pairs(_pairs(model)), _weights_table(model)]
    if refusal := model.vllm_refusal:
        parts.append(f"  {refusal}")
    columns = screen_columns()
    parts += [fold(f"  {text}", columns, "  ") for text in model.assumed]
    lines = []
    for source, what in sources.values():
        note = f" {source.note}" if source.note else ""
        text = f"  {source.title}, {source.date}: {', '.join(dict.fromkeys(what))}.{note}"
        lines.append(fold(text, columns, "    "))
        lines.append(f"    {source.url}")
    return "\n\n".join([*parts, "\n".join(["Sources", *lines])] if lines else parts)


def _pairs(model: Model) -> list[tuple[str, str]]:
    from curc_llm.cli.models import render_params

    arch = model.architecture
    experts = f"{arch.num_experts} experts, {arch.num_experts_per_token} of them for each token"
    pairs = [
        ("uses", ", ".join(model.uses)),
        ("input", ", ".join(["text", *model.modalities])),
        ("licence", model.licence or "not known"),
        ("restricted", model.licence_note),
        ("gated", "yes: accept its terms on the hub first" if model.gated else "no"),
        ("context", f"{model.max_context_tokens:,} tokens"),
        ("parameters", render_params(model)),
        ("architecture", f"{arch.class_name}: {arch.num_layers} layers, {arch.hidden_size} wide"),
        ("experts", experts if arch.num_experts else ""),
        ("memory", "; ".join(map(_render_group, arch.attention)) or "none between tokens (an encoder)"),
        ("chat", _describe_chat(model)),
        ("tool calls", model.tool_call_parser or ""),
        ("reasoning", model.reasoning_parser or ""),
        ("needs vLLM", model.min_vllm_version or ""),
        ("remote code", "runs code that comes with the model" if model.trust_remote_code else ""),
        ("folder", model.folder),
        ("verified", "yes" if model.verified else "not yet compared with the first-hand source"),
    ]
    return [(name, value) for name, value in pairs if value]


def _describe_chat(model: Model) -> str:
    if model.uses[0] == "embeddings":
        return "no: it makes embeddings (/v1/embeddings)"
    return "has a chat template" if model.has_chat_template else "no chat template: /v1/completions only"


def _render_group(group: AttentionGroup) -> str:
    layers = f"{group.num_layers} layers"
    if group.kind == "mla":
        return f"{layers} of latent attention ({group.latent_dim} values)"
    if group.kind == "linear":
        return f"{layers} with a state of {(group.state_bytes or 0) / 2**20:.1f} MiB per request"
    heads = f"{group.num_kv_heads} KV heads of {group.head_dim}"
    window = f", {group.kind} {group.window_tokens} tokens" if group.window_tokens else ""
    return f"{layers} with {heads}{window}"


def _weights_table(model: Model) -> str:
    from curc_llm.cli.models import weights_gib

    rows = []
    for weights in model.weights:
        remarks = [f"below models_dir: {weights.site_path}"] if weights.site_path else []
        remarks += ["gated"] if weights.gated else []
        revision = (weights.revision or "-")[:12]
        rows.append(
            [weights.format, weights_gib(model, weights), weights.hub_id, revision, "; ".join(remarks)]
        )
    return render_table(HEADS, rows)
