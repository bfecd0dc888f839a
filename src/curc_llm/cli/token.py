"""`curc-llm token`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, render_pairs

if TYPE_CHECKING:
    from curc_llm.engine.hub_account import Account

# A token is about 40 characters; whatever else is piped in is not read to its end.
MAX_TYPED = 10_000


@click.command()
@click.argument("words", nargs=-1, metavar="")
@click.option("--show", is_flag=True, help="Say where the token is and whether it works; never the token.")
@click.option("--remove", is_flag=True, help="Remove the token from this machine.")
@click.option("--no-check", is_flag=True, help="Store it without asking the hub whose it is.")
@verb_options
def token(
    words: tuple[str, ...], show: bool, remove: bool, no_check: bool, config: Path | None, as_json: bool
) -> None:
    """Store your Hugging Face token, which gated models need, in a file that only you can read.

    It is asked for without showing it, or read from a pipe: `curc-llm token < FILE`. Make one of type "read"
    at https://huggingface.co/settings/tokens. Sessions and `fetch` find it by themselves.
    """
    _refuse_words(words)
    if show and remove:
        raise click.UsageError("Give --show or --remove, not both.")
    from curc_llm.engine.hub_token import token_path

    path = token_path(os.environ)
    output = Output(as_json)
    ask = not (no_check or load(config).offline)
    if remove:
        _remove(path, output)
    elif show:
        _show(path, output, config, ask=ask)
    else:
        _store(path, output, config, ask=ask)


def _refuse_words(words: tuple[str, ...]) -> None:
    from curc_llm.engine.hub_token import TOKENS_PAGE
    from curc_llm.errors import TokenError

    if any(word.startswith(("hf_", "api_")) for word in words):
        raise TokenError(
            "A token in a command is seen by everyone on this machine, and your shell remembers it.",
            f"Revoke that one at {TOKENS_PAGE}, make another, and paste it when asked by: curc-llm token",
        )
    if words:
        raise click.UsageError("`curc-llm token` takes no words; it asks for the token.")


def _store(path: Path, output: Output, config: Path | None, *, ask: bool) -> None:
    from curc_llm.engine.hub_token import check_form, write_token

    text = check_form(_read_token())
    account, problem = _find_account(text) if ask else (None, "")
    old_mode = _mend(path, output)
    write_token(path, text)
    access = _find_access(text, account, config)
    value = _make_value(path, account, access, works=True if account else None, mended=old_mode)
    output.data(_render(path, account, access), value)
    if account is None:
        output.say(problem or "Stored without asking the hub whether it works.")
    _warn_of_variable(output)


def _read_token() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Your Hugging Face token (not shown)", hide_input=True, err=True))
    return sys.stdin.buffer.readline(MAX_TYPED).decode("utf-8", "replace")


def _show(path: Path, output: Output, config: Path | None, *, ask: bool) -> None:
    from curc_llm.engine.hub_token import read_token
    from curc_llm.errors import TokenError

    old_mode = _mend(path, output)
    text = read_token(path)
    _warn_of_variable(output)
    if text is None:
        output.data(f"No token is stored; it would be in {path}.", _make_value(path, None, {}, works=None))
        output.say("Only gated and private models need one. Store one with: curc-llm token")
        raise click.exceptions.Exit(1)
    try:
        account, problem = _find_account(text) if ask else (None, "The hub wasn't asked.")
    except TokenError:
        output.data("", _make_value(path, None, {}, works=False, mended=old_mode) if output.as_json else None)
        raise
    access = _find_access(text, account, config)
    works = True if account else None
    output.data(
        _render(path, account, access), _make_value(path, account, access, works=works, mended=old_mode)
    )
    if problem:
        output.say(problem)


def _remove(path: Path, output: Output) -> None:
    from curc_llm.engine.hub_token import TOKENS_PAGE, remove_token, stored_tokens_path

    was_there = remove_token(path)
    text = f"Removed {path}." if was_there else f"There is no token in {path}."
    output.data(text, {"path": str(path), "removed": was_there})
    if was_there:
        output.say(f"It still works for whoever has a copy: revoke it at {TOKENS_PAGE}")
    others = stored_tokens_path(path)
    if others.exists():
        output.say(f"`hf auth login` keeps copies in {others}; `hf auth logout` removes them.")
    _warn_of_variable(output)


def _mend(path: Path, output: Output) -> int | None:
    """Makes the files with tokens private; the mode that the token's own file had, when it was open."""
    from curc_llm.engine.hub_token import TOKENS_PAGE, mend_mode, stored_tokens_path

    modes = {file: mend_mode(file) for file in (path, stored_tokens_path(path))}
    for file, mode in modes.items():
        if mode is not None:
            output.say(f"Warning: others could read {file} (mode {mode:o}). It is private now.")
            output.say(f"         Revoke what was in it at {TOKENS_PAGE} if others use this machine.")
    return modes[path]


def _find_account(text: str) -> tuple[Account | None, str]:
    """Whose the token is; without an answer, why there is none."""
    from curc_llm.cli.hub import hub_url
    from curc_llm.engine.hub_account import read_account
    from curc_llm.errors import DownloadError

    try:
        return read_account(hub_url(), text), ""
    except DownloadError as error:
        return None, f"Whether it works isn't known: {error.message} {error.remedy}"


def _find_access(text: str, account: Account | None, config: Path | None) -> dict[str, bool | None]:
    """Which of the catalogue's gated models it opens."""
    from curc_llm.cli.hub import hub_url
    from curc_llm.cli.models import read_catalogue
    from curc_llm.engine.hub_account import read_access

    if account is None or not account.can_read_gated:
        return {}
    models = read_catalogue(config).models.values()
    # One question for each model: its quantisations have the same owner or none at all.
    gated = [model.weights[0].hub_id for model in models if model.gated or model.weights[0].gated]
    return read_access(hub_url(), text, gated)


def _make_value(
    path: Path,
    account: Account | None,
    access: dict[str, bool | None],
    *,
    works: bool | None,
    mended: int | None = None,
) -> dict[str, Any]:
    return {
        "path": str(path),
        "stored": path.is_file(),
        "works": works,
        "name": account.name if account else None,
        "token_name": account.token_name if account else None,
        "role": account.role if account else None,
        "can_read_gated": account.can_read_gated if account else None,
        "gated_models": access,
        "was_open": mended is not None,
        "hf_token_is_set": bool(os.environ.get("HF_TOKEN")),
    }


def _render(path: Path, account: Account | None, access: dict[str, bool | None]) -> str:
    pairs = [("Token", f"{path}  (only you can read it)")]
    if account:
        named = f", called {account.token_name!r}" if account.token_name else ""
        pairs.append(("Account", f"{account.name}{named}"))
        pairs.append(("Gated", _render_gated(account, access)))
        pairs += [("", hub_id) for hub_id, is_open in access.items() if is_open]
    return render_pairs(pairs)


def _render_gated(account: Account, access: dict[str, bool | None]) -> str:
    if not account.can_read_gated:
        return 'no: tick "Read access to gated repos" in this token\'s settings'
    opened = sum(bool(is_open) for is_open in access.values())
    return f"{opened} of {len(access)} gated models of the catalogue are open to you"


def _warn_of_variable(output: Output) -> None:
    if os.environ.get("HF_TOKEN"):
        output.say(
            "HF_TOKEN is set in this shell and wins over the file. Unset it: programs pass it on to others."
        )
