"""`curc-llm models`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, choose_fitting, render_table, screen_columns

if TYPE_CHECKING:
    from curc_llm.catalogue.model import Catalogue, Model, Weights

HEADS = ("NAME", "PARAMETERS", "CONTEXT", "WEIGHTS IN GIB", "LICENCE", "USES", "")
USES = ("chat", "code", "reasoning", "vision", "audio", "embeddings", "base")
GIB = 2**30
MOST_LICENCE = 14  # characters of a licence where there is little room
# Options of the search that have a value: what follows them isn't a sub-command.
WITH_VALUE = {"--use", "-c", "--config"}


class SearchGroup(click.Group):
    """A group in which any word that is no sub-command is something to search for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `search` in front of everything but the other sub-commands and `--help`."""
        if _first_word(args) not in self.commands and not {"-h", "--help"} & set(args):
            args = ["search", *args]
        return super().parse_args(ctx, args)


def _first_word(args: list[str]) -> str:
    """The first argument that is neither an option nor an option's value."""
    values = {index + 1 for index, text in enumerate(args) if text in WITH_VALUE}
    words = (text for index, text in enumerate(args) if index not in values and not text.startswith("-"))
    return next(words, "")


@click.group(cls=SearchGroup)
def models() -> None:
    """List, show and verify the models of the catalogue.

    Any word but a command below is searched for: `curc-llm models qwen --use code`.
    """


@models.command("search")
@click.argument("words", nargs=-1, metavar="[SEARCH]...")
@click.option("--use", type=click.Choice(USES), help="Only models that are good for this.")
@verb_options
def search(words: tuple[str, ...], use: str | None, config: Path | None, as_json: bool) -> None:
    """List the models that all words are found in: names, titles, Hugging Face ids, uses, licences."""
    output = Output(as_json)
    catalogue = read_catalogue(config)
    found = {n: m for n, m in catalogue.models.items() if _fits(n, m, words) and (not use or use in m.uses)}
    if not found and (words or use):
        raise _nothing(words, use, catalogue)
    text = choose_fitting(_render_tables(found), screen_columns())
    output.data(text, [_to_json(name, model) for name, model in found.items()])
    for why in catalogue.broken.values():
        output.say(f"Left out: {why}")
    output.say("~: computed from the parameters. All figures with their sources: curc-llm models show NAME")
    if missing := _left_out(text):
        output.say(f"Left out here: {', '.join(missing)}; a wider terminal or --json has them.")


def read_catalogue(config: Path | None) -> Catalogue:
    """The shipped catalogue with the user's files on top."""
    from curc_llm.catalogue.load import load_catalogue

    return load_catalogue(load(config).catalogue)


def complete_model(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Names of the catalogue that begin with what was typed."""
    from curc_llm.errors import CurcLlmError

    try:
        names = read_catalogue(ctx.params.get("config")).models
    except CurcLlmError:
        return []
    return [name for name in names if name.startswith(incomplete.lower())]


def _fits(name: str, model: Model, words: tuple[str, ...]) -> bool:
    ids = " ".join(weights.hub_id for weights in model.weights)
    text = " ".join([name, model.title, ids, *model.uses, model.licence]).lower()
    return all(word.lower() in text for word in words)


def _nothing(words: tuple[str, ...], use: str | None, catalogue: Catalogue) -> Exception:
    from curc_llm.catalogue.lookup import nearest_names
    from curc_llm.errors import ModelNotFoundError

    near = nearest_names("-".join(words), catalogue) if words else []
    wanted = " ".join([*words, *([f"--use {use}"] if use else [])])
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return ModelNotFoundError(
        f"No model of the catalogue fits {wanted!r}.", f"{hint}`curc-llm models` lists them all."
    )


def render_params(model: Model) -> str:
    """Parameters in billions, and how many a token passes through where that isn't all.

    Example:
        >>> render_params(catalogue.models["qwen3-30b-a3b-instruct-2507"])
        '30.5B (3.3B active)'
    """
    total, active = model.architecture.total_params, model.architecture.active_params
    text = f"{'about ' if model.is_estimate else ''}{_billions(total)}"
    return f"{text} ({_billions(active)} active)" if active and active < 0.9 * total else text


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f}B" if count < 1e9 else f"{count / 1e9:.1f}B"


def render_tokens(tokens: int) -> str:
    """Tokens in units of 1024, as people write contexts.

    Example:
        >>> render_tokens(1048576), render_tokens(131072), render_tokens(512)
        ('1M', '128k', '512')
    """
    if tokens >= 2**20:
        return f"{tokens / 2**20:.0f}M"
    return f"{tokens / 1024:.0f}k" if tokens >= 1024 else str(tokens)


def weights_gib(model: Model, weights: Weights) -> str:
    """The size of one set of weights in GiB; with `~` where it is computed from the parameters."""
    from curc_llm.plan.weights import checkpoint_bytes

    size = weights.weight_bytes or checkpoint_bytes(model.architecture, weights)
    return f"{'' if weights.weight_bytes else '~'}{size / GIB:.1f}"


def _render_tables(found: dict[str, Model]) -> Iterator[str]:
    """The list from all that people choose by to what fits a narrow terminal."""
    rows = [_row(name, model) for name, model in found.items()]
    yield render_table(HEADS, rows)
    short = [[*row[:3], _shorten_formats(row[3]), _shorten_licence(row[4]), *row[5:]] for row in rows]
    for kept in ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 5, 6), (0, 1, 2, 3, 6), (0, 1, 2, 3)):
        yield render_table([HEADS[i] for i in kept], [[row[i] for i in kept] for row in short])
    narrow = [[row[0], row[1].replace(" active", ""), row[2], row[3]] for row in short]
    yield render_table(("NAME", "PARAMETERS", "CONTEXT", "GIB"), narrow)
    first = [[*row[:3], row[3].split(", ")[0].split(" +")[0]] for row in narrow]
    yield render_table(("NAME", "PARAMETERS", "CONTEXT", "GIB"), first)
    least = [[row[0], row[1].split(" ")[0], row[3]] for row in first]
    yield render_table(("NAME", "SIZE", "GIB"), least)


def _left_out(text: str) -> list[str]:
    """The columns that a table has no room for.

    Example:
        >>> _left_out("NAME  PARAMETERS  CONTEXT  WEIGHTS IN GIB  USES")
        ['licence']
    """
    heads = (text.splitlines() or [""])[0].split()
    return [name.lower() for name in ("CONTEXT", "LICENCE", "USES") if heads and name not in heads]


def _shorten_formats(text: str) -> str:
    """The first two formats, and how many there are more.

    Example:
        >>> _shorten_formats("bf16 15.0, fp8 8.5, awq-int4 5.3")
        'bf16 15.0, fp8 8.5 +1'
    """
    formats = text.split(", ")
    return ", ".join(formats[:2]) + (f" +{len(formats) - 2}" if len(formats) > 2 else "")


def _shorten_licence(text: str) -> str:
    """A licence without the words that each has.

    Example:
        >>> _shorten_licence("Llama-3.1 Community License"), _shorten_licence("Gemma Terms of Use")
        ('Llama-3.1', 'Gemma')
    """
    short = re.sub(r" (Community License|Open Model License|Open License|Terms of Use|License)\b.*", "", text)
    return short if len(short) <= MOST_LICENCE else f"{short[: MOST_LICENCE - 1]}…"


def _row(name: str, model: Model) -> list[str]:
    sizes = {w.format: weights_gib(model, w) for w in reversed(model.weights)}  # the first of a format counts
    formats = ", ".join(f"{w} {sizes[w]}" for w in dict.fromkeys(w.format for w in model.weights))
    marks = ["gated"] if model.gated else []
    marks += ["licence!"] if model.licence_note else []
    marks += [] if model.verified else ["unverified"]
    context = render_tokens(model.max_context_tokens)
    uses = ", ".join(model.uses)
    return [name, render_params(model), context, formats, model.licence or "-", uses, ", ".join(marks)]


def _to_json(name: str, model: Model) -> dict[str, Any]:
    fields = ("title", "uses", "licence", "gated", "verified", "max_context_tokens", "is_estimate")
    counts = {key: getattr(model.architecture, key) for key in ("total_params", "active_params")}
    weights = [
        {key: getattr(w, key) for key in ("format", "hub_id", "weight_bytes", "gated")} for w in model.weights
    ]
    return {"name": name, **{key: getattr(model, key) for key in fields}, **counts, "weights": weights}


def _add_commands() -> None:
    from curc_llm.cli.models_show import show
    from curc_llm.cli.models_verify import verify

    models.add_command(show)
    models.add_command(verify)


_add_commands()
