"""`curc-llm chats`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curc_llm.cli.options import load, verb_options
from curc_llm.cli.output import Output, render_table, write_piece

if TYPE_CHECKING:
    from curc_llm.chats import ChatStore, ChatSummary

HEADS = ("ID", "LAST", "MESSAGES", "MODEL", "TITLE")
KINDS = ("markdown", "json", "notebook")


def complete_chat(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Ids of chats that begin with what was typed."""
    from curc_llm.errors import CurcLlmError

    try:
        ids = [one.chat_id for one in _store(ctx.params.get("config")).list()]
    except CurcLlmError:
        return []
    return [chat_id for chat_id in ids if chat_id.startswith(incomplete)]


chat_argument = click.argument("chat", shell_complete=complete_chat)


@click.group()
def chats() -> None:
    """List, search, export, import and delete your saved chats."""


@chats.command("ls")
@click.option("--deleted", is_flag=True, help="Those that were deleted, and can be brought back.")
@verb_options
def ls(deleted: bool, config: Path | None, as_json: bool) -> None:
    """List chats: pinned ones (*), then the latest first."""
    store, output = _store(config), Output(as_json)
    found = store.list(deleted=deleted)
    output.data(render_table(HEADS, [_row(one) for one in found]), [one.to_json() for one in found])
    if not found:
        output.say("No chat was deleted." if deleted else "No chat is saved yet.")
    if store.note:
        output.say(store.note)


@chats.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="Most chats to show; 20.")
@verb_options
def search(words: tuple[str, ...], limit: int, config: Path | None, as_json: bool) -> None:
    """Find chats that have all words, in any case; "several words" in quotes stand together."""
    text = " ".join(f'"{word}"' if " " in word else word for word in words)
    found, output = _store(config).search(text, limit), Output(as_json)
    rows = [[hit.summary.chat_id, _render_date(hit.summary.updated_at), hit.snippet] for hit in found.hits]
    hits = [
        {**hit.summary.to_json(), "message_id": hit.message_id, "start": hit.start, "snippet": hit.snippet}
        for hit in found.hits
    ]
    output.data(render_table(("ID", "LAST", "TEXT"), rows), {"num_chats": found.num_chats, "hits": hits})
    if found.num_chats > len(hits):
        output.say(f"The latest {len(hits):,} of {found.num_chats:,} chats; --limit shows more.")
    if not hits:
        raise click.exceptions.Exit(1)


@chats.command("show")
@chat_argument
@verb_options
def show(chat: str, config: Path | None, as_json: bool) -> None:
    """Show a chat. CHAT is its id, or the beginning of it."""
    from curc_llm.chats.export import make_json, render_markdown

    store, output = _store(config), Output(as_json)
    found = store.open(store.look_for(chat))
    output.data(render_markdown(found).rstrip("\n"), make_json(found) if as_json else None)
    if found.note:
        output.say(found.note)


@chats.command("export")
@chat_argument
@click.option("--as", "kind", type=click.Choice(KINDS), default="markdown", help="What to write; Markdown.")
@click.option("-o", "path", type=click.Path(path_type=Path), help="The file; standard output when not given.")
@verb_options
def export(chat: str, kind: str, path: Path | None, config: Path | None, as_json: bool) -> None:
    """Write a chat as Markdown, JSON or a notebook."""
    from curc_llm.chats.errors import ChatFileError
    from curc_llm.chats.export import EXPORTS

    store = _store(config)
    chat_id = store.look_for(chat)
    text = EXPORTS[kind][1](store.open(chat_id))
    if path is None:
        write_piece(text)
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(text)
    except FileExistsError:
        raise ChatFileError(f"{path} is there already.", "Give another name.") from None
    except OSError as error:
        raise ChatFileError(f"{path} can't be written: {error.strerror}.", "Give another name.") from None
    Output(as_json).data(str(path), {"chat_id": chat_id, "path": str(path), "kind": kind})


@chats.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@verb_options
def import_(file: Path, config: Path | None, as_json: bool) -> None:
    """Add chats of a file: our JSON, messages as the OpenAI API has them, or ChatGPT's conversations.json."""
    from curc_llm.chats.taking_in import MOST_BYTES, take_in

    data = sys.stdin.buffer.read(MOST_BYTES + 1) if str(file) == "-" else _read(file, MOST_BYTES + 1)
    taken, output = take_in(_store(config), data, file.name), Output(as_json)
    output.data("\n".join(taken.chat_ids), {"chat_ids": taken.chat_ids, "num_messages": taken.num_messages})
    output.say(taken.text)


@chats.command("rename")
@chat_argument
@click.argument("title")
@verb_options
def rename(chat: str, title: str, config: Path | None, as_json: bool) -> None:
    """Give a chat another title."""
    store = _store(config)
    chat_id = store.look_for(chat)
    store.rename(chat_id, title)
    Output(as_json).data("", {"chat_id": chat_id, "title": store.open(chat_id).title})


@chats.command("pin")
@chat_argument
@click.option("--off", is_flag=True, help="Put it back among the others.")
@verb_options
def pin(chat: str, off: bool, config: Path | None, as_json: bool) -> None:
    """Put a chat before the others; pinned chats are never purged."""
    store = _store(config)
    chat_id = store.look_for(chat)
    store.pin(chat_id, is_pinned=not off)
    Output(as_json).data("", {"chat_id": chat_id, "is_pinned": not off})


@chats.command("rm")
@click.argument("chat_ids", metavar="CHAT...", nargs=-1, required=True, shell_complete=complete_chat)
@verb_options
def rm(chat_ids: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Delete chats. `curc-llm chats restore` brings them back within 30 days."""
    _change(chat_ids, config, as_json, is_deleted=True)


@chats.command("restore")
@click.argument("chat_ids", metavar="CHAT...", nargs=-1, required=True)
@verb_options
def restore(chat_ids: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Bring deleted chats back."""
    _change(chat_ids, config, as_json, is_deleted=False)


@chats.command("purge")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--keep-days", type=click.FloatRange(min=0), help="Remove what is older; 0 for never.")
@click.option("--max-gib", type=click.FloatRange(min=0), help="Remove the oldest until all take less.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@verb_options
def purge(
    dry_run: bool,
    keep_days: float | None,
    max_gib: float | None,
    yes: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Remove old chats for good, by the limits in your settings; pinned ones and today's stay."""
    from curc_llm.chats.purge import Limits, plan_purge
    from curc_llm.chats.purge import purge as remove

    settings, output = load(config), Output(as_json)
    days = settings.chats_keep_days if keep_days is None else keep_days
    gib = settings.chats_max_gib if max_gib is None else max_gib
    store = _store(config)
    plan = plan_purge(store, Limits(days, gib))
    output.say(plan.render(is_done=False))
    rows = [
        [v.summary.chat_id, _render_date(v.summary.updated_at), v.why, v.summary.title] for v in plan.victims
    ]
    if rows:
        output.say(render_table(("ID", "LAST", "WHY", "TITLE"), rows))
    if dry_run or (plan.victims and not yes and not click.confirm("Remove them for good?", err=True)):
        removed: Sequence[str] = ()
    else:
        done = remove(store, plan)
        removed = [victim.summary.chat_id for victim in done.victims]
        output.say(f"Removed {len(removed):,}.")
    planned = [{"chat_id": v.summary.chat_id, "why": v.why} for v in plan.victims]
    output.data("", {"num_bytes": plan.num_bytes, "planned": planned, "removed": removed})


def _store(config: Path | None) -> ChatStore:
    from curc_llm.chats.store import FOLDER, ChatStore

    return ChatStore(load(config).state_dir / FOLDER)


def _change(beginnings: Sequence[str], config: Path | None, as_json: bool, *, is_deleted: bool) -> None:
    store, output = _store(config), Output(as_json)
    chat_ids = [store.look_for(beginning) for beginning in beginnings]
    for chat_id in chat_ids:
        (store.delete if is_deleted else store.restore)(chat_id)
    output.data("", {"deleted" if is_deleted else "restored": chat_ids})
    if is_deleted:
        output.say(f"Deleted {len(chat_ids)}. To undo: curc-llm chats restore {' '.join(chat_ids)}")


def _read(path: Path, most_bytes: int) -> bytes:
    from curc_llm.chats.errors import ChatImportError

    try:
        with path.open("rb") as file:
            return file.read(most_bytes)
    except OSError as error:
        raise ChatImportError(f"{path} can't be read: {error.strerror}.", "Check the name.") from None


def _row(one: ChatSummary) -> list[str]:
    title = f"* {one.title}" if one.is_pinned else one.title
    return [one.chat_id, _render_date(one.updated_at), str(one.num_messages), one.model or "-", title]


def _render_date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
