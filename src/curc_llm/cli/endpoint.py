"""`curc-llm endpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import find, load, session_argument, verb_options
from curc_llm.cli.output import Output, render_pairs

if TYPE_CHECKING:
    from curc_llm.client.snippets import Target
    from curc_llm.session.store import FoundSession

# Spelt out, for `--help` imports nothing of the client; a test compares them with the client's.
SNIPPETS = (
    "curl", "python", "curc_llm", "langchain", "llamaindex", "litellm", "jupyter-ai",
    "continue", "cline", "tunnel",
)  # fmt: skip


@click.command()
@session_argument
@click.option("--show-key", is_flag=True, help="Also print the key itself.")
@click.option("--login-link", is_flag=True, help="Print a fresh link to the chat, and nothing else.")
@click.option("-m", "--model", help="Served model name for the snippets.")
@click.option(
    "--format",
    "wanted",
    type=click.Choice(SNIPPETS),
    help="Print this snippet, and nothing else.",
)
@verb_options
def endpoint(
    session: str | None,
    show_key: bool,
    login_link: bool,
    model: str | None,
    wanted: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Print address, key file and ready-to-paste snippets of a session."""
    from curc_llm.client.source import check_not_over

    found = find(config, session)
    check_not_over(found.record)
    value = _make_value(found, model, show_key, config)
    Output(as_json).data(_render(value, login_link, wanted), value)


def _make_value(
    found: FoundSession, model: str | None, show_key: bool, config: Path | None
) -> dict[str, Any]:
    from curc_llm.cli.card import make_card
    from curc_llm.client.snippets import render_snippets
    from curc_llm.session.keys import read_secret_file

    value = make_card(found.paths, found.record)
    value["model"] = _check_model(found, model) or value["model"]
    value["models"] = [engine.served_model_name for engine in found.record.models]
    if show_key:
        value["api_key"] = read_secret_file(found.paths.api_key)
    target = _make_target(found, value, _find_login(found, config))
    value["snippets"] = render_snippets(target)
    return value


def _check_model(found: FoundSession, model: str | None) -> str | None:
    from curc_llm.errors import ModelNotFoundError

    if model is not None and found.record.engine(model) is None:
        names = ", ".join(engine.served_model_name for engine in found.record.models)
        raise ModelNotFoundError(
            f"Session {found.session_id} doesn't serve {model!r}.", f"Models here: {names}."
        )
    return model


def _find_login(found: FoundSession, config: Path | None) -> str:
    """The session's owner at the centre's login host."""
    from curc_llm.sites.load import load_site

    hosts = load_site(load(config).site).login_hosts
    return f"{found.record.owner}@{hosts[0] if hosts else 'LOGIN_NODE'}"


def _make_target(found: FoundSession, value: dict[str, Any], login: str) -> Target:
    from curc_llm.client.snippets import Target

    engine = found.record.engine(value["model"])
    return Target(
        session_id=found.session_id,
        base_url=value["base_url"],
        model=value["model"],
        key_file=value["key_file"],
        host=found.record.host,
        max_model_len=engine.max_model_len if engine else None,
        login=login,
    )


def _render(value: dict[str, Any], login_link: bool, wanted: str | None) -> str:
    if login_link:
        return str(value["login_url"])
    if wanted:
        return str(value["snippets"][wanted])
    from curc_llm.client.snippets import TITLES

    pairs = [
        ("Endpoint", value["base_url"]),
        ("Models", ", ".join(value["models"])),
        ("Key file", value["key_file"]),
        *([("Key", value["api_key"])] if "api_key" in value else []),
        ("Chat", f"{value['login_url']}  (opens once, within 10 minutes)"),
    ]
    blocks = [f"# --- {TITLES[name]}\n{text}" for name, text in value["snippets"].items()]
    return "\n\n".join([render_pairs(pairs), *blocks])
