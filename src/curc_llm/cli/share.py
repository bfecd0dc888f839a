"""`curc-llm share`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curc_llm.cli.keys import audit, find_running
from curc_llm.cli.options import find, load, session_option, verb_options
from curc_llm.cli.output import Output, render_table
from curc_llm.cli.share_link import make_share_value
from curc_llm.cli.share_screen import HEADS, explain_share, make_share_entry, render_share_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curc_llm.session.keys import ApiKey
    from curc_llm.session.store import FoundSession


class ShareGroup(click.Group):
    """`share ana` means `share add ana`: what is no subcommand is somebody to share with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `add` in front of what isn't a subcommand."""
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["add", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ShareGroup, subcommand_metavar="USER|--link NAME|ls|revoke NAME")
def share() -> None:
    """Let a lab-mate into a session: a chat and a key of their own, which you can take back.

    `curc-llm share USER` is for a user of the portal; `curc-llm share --link NAME` makes a link for whoever
    opens it first.
    """


@share.command("add")
@click.argument("user", required=False)
@click.option(
    "--link", "link_name", metavar="NAME", help="For whoever opens the link first; you choose NAME."
)
@click.option("--hours", type=click.FloatRange(min=0.01, max=8784), help="End it after so many hours.")
@click.option("--model", "models", multiple=True, help="Let them use only this model; can be repeated.")
@click.option(
    "--requests-per-minute", type=click.IntRange(min=1), help="Most requests per minute; any when not given."
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Most requests at once, of key and chat.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), help="Most tokens per minute.")
@click.option("--show-key", is_flag=True, help="Also print their API key. They can see it on their own page.")
@session_option
@verb_options
def add(
    user: str | None,
    link_name: str | None,
    hours: float | None,
    models: tuple[str, ...],
    requests_per_minute: int | None,
    concurrency: int | None,
    tokens_per_minute: int | None,
    show_key: bool,
    session: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Share a session, and print the link to send. For one that it is shared with: a fresh link."""
    if (user is None) == (link_name is None):
        raise click.UsageError("Name either a USER, or --link NAME.")
    found = find_running(config, session, models)
    limits = {
        "expires_at": time.time() + hours * 3600 if hours else None,
        "models": models,
        "requests_per_minute": requests_per_minute or 0,
        "concurrency": concurrency or 0,
        "tokens_per_minute": tokens_per_minute or 0,
    }
    entry, is_new = _make_share(found, user, link_name, limits)
    value = make_share_value(found, entry, _find_portals(config), show_key=show_key) | {"is_new": is_new}
    output = Output(as_json)
    output.data("\n".join([value["link"], *([value["key"]] if show_key else [])]), value)
    explain_share(output, found, entry, value)


@share.command("ls")
@session_option
@verb_options
def ls(session: str | None, config: Path | None, as_json: bool) -> None:
    """List with whom a session is shared, and what each has used."""
    from curc_llm.session.keys import read_keys
    from curc_llm.session.usage import Usage, read_usage

    found = find(config, session)
    _check_shareable(found)
    now, used = time.time(), read_usage(found.paths.access_log)
    keys = read_keys(found.paths.keys).keys
    shares = [(key, used.get(key.name, Usage())) for key in keys if key.share_id and key.is_valid(now)]
    table = render_table(HEADS, [render_share_row(*one, now) for one in shares]) if shares else ""
    output = Output(as_json)
    output.data(table, [make_share_entry(*one) for one in shares])
    if not shares:
        output.say(f"Session {found.session_id} is shared with nobody. Share it: curc-llm share USER")


@share.command("revoke")
@click.argument("name")
@click.option("--delete-chats", is_flag=True, help="Also delete their chats and uploads for good.")
@session_option
@verb_options
def revoke(name: str, delete_chats: bool, session: str | None, config: Path | None, as_json: bool) -> None:
    """Stop sharing, at once: key, link and logins are refused, and running answers end within a second."""
    from curc_llm.chats.people import remove_guest
    from curc_llm.session.keys import read_keys, revoke_key
    from curc_llm.session.shares import render_guest

    found = find(config, session)
    _check_shareable(found)
    entry = _find_one(read_keys(found.paths.keys).keys, name)
    revoke_key(found.paths.keys, entry.name)
    audit(found, "share_revoked", name=entry.name)
    were_deleted = delete_chats and remove_guest(load(config).state_dir, entry.name)
    output = Output(as_json)
    value = {"session_id": found.session_id, "name": entry.name, "revoked": True}
    output.data("", {**value, "chats_deleted": were_deleted})
    output.say(
        f"{render_guest(entry.name)} is shut out. Answers that were being written end within a second."
    )
    if not were_deleted:
        output.say("Their chats stay in your state folder until they are 30 days old.")


def _make_share(
    found: FoundSession, user: str | None, link_name: str | None, limits: dict[str, Any]
) -> tuple[ApiKey, bool]:
    """The share, and whether it is new."""
    from curc_llm.errors import KeyFileError
    from curc_llm.session.keys import read_keys
    from curc_llm.session.shares import add_share, check_user, find_shares, is_link, make_link_name

    owner = found.record.owner
    label = check_user(user, owner) if user is not None else (link_name or "")
    name = label if user is not None else make_link_name(label)
    shares = find_shares(read_keys(found.paths.keys).keys, label)
    there = [s for s in shares if is_link(s.name) == (user is None) and s.is_valid(time.time())]
    if there:
        if any(limits.values()):
            raise KeyFileError(
                f"The session is shared with {label!r} already, and a share's limits can't be changed.",
                f"End it first: curc-llm share revoke {label}",
            )
        return there[0], False
    _drop_expired(found, shares)
    entry = add_share(found.paths.keys, found.paths.login_secret, name, **limits)
    audit(found, "shared", name=name, **limits)
    return entry, True


def _drop_expired(found: FoundSession, shares: Sequence[ApiKey]) -> None:
    """Makes room for a new share of the name of one that has run out."""
    from curc_llm.session.keys import revoke_key

    for old in shares:
        if not old.is_valid(time.time()):
            revoke_key(found.paths.keys, old.name)


def _find_portals(config: Path | None) -> tuple[str, ...]:
    from curc_llm.sites.load import load_site

    return load_site(load(config).site).portals


def _check_shareable(found: FoundSession) -> None:
    """Says that nothing of an ended session is shared, rather than that a file is missing."""
    from curc_llm.client.source import check_not_over

    check_not_over(found.record)


def _find_one(keys: Sequence[ApiKey], name: str) -> ApiKey:
    from curc_llm.errors import KeyFileError
    from curc_llm.session.shares import find_shares, render_guest

    fits = find_shares(keys, name)
    if len(fits) == 1:
        return fits[0]
    if fits:
        whole = ", ".join(key.name for key in fits)
        raise KeyFileError(f"{name!r} may be any of {whole}.", "Give the whole name.")
    there = sorted({render_guest(k.name) for k in keys if k.share_id and k.revoked_at is None})
    raise KeyFileError(
        f"The session isn't shared with {name!r}.", f"Shared with: {', '.join(there) or 'nobody'}."
    )
