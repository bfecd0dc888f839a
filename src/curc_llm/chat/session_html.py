"""The session's side of the page as HTML: time and cost, load, how to reach it, where its logs are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from curc_llm.chat.durations import render_rough_duration
from curc_llm.chat.engine_figures import EngineFigures
from curc_llm.chat.escaping import escape_line
from curc_llm.chat.session_watch import Snapshot
from curc_llm.session.cost import Cost, count_su
from curc_llm.session.record import EnginePhase, SessionRecord

# The portal's file browser; only there when the page came through the portal.
FILES = "/pun/sys/dashboard/files/fs"


@dataclass(frozen=True)
class SessionView:
    """What the tab is made of.

    Args:
        snapshot: the session.
        figures: how busy its engines are.
        cost: from `make_cost`; None where nothing is charged.
        logs: the folder of the logs; empty when it isn't known.
        is_in_portal: the page came through the portal.
        kept: what becomes of chats and uploads, in words.
        is_owner: whose session it is: only they can share it and run commands on it.
    """

    snapshot: Snapshot
    figures: EngineFigures
    cost: Cost | None = None
    logs: str = ""
    is_in_portal: bool = False
    kept: str = ""
    is_owner: bool = False


def render_session(view: SessionView) -> str:
    """Writes the tab."""
    record = view.snapshot.record
    if record is None:
        return '<p class="curc-none">Asking how the session is doing …</p>'
    rows = "".join(
        f"<tr><th scope='row'>{name}</th><td>{escape_line(value)}</td></tr>"
        for name, value in _list_rows(view, record)
    )
    return (
        f'<table class="curc-facts">{rows}</table>{_render_endpoint(record)}{_render_sharing(view, record)}'
        f"{_render_logs(view, record)}{_render_notice(record)}{_render_kept(view)}"
    )


def _render_notice(record: SessionRecord) -> str:
    """Offers to tell when the model is ready, while it isn't."""
    if record.status.is_over or all(engine.phase is EnginePhase.READY for engine in record.models):
        return ""
    return (
        '<p class="curc-none"><button type="button" class="curc-link" data-curc-act="notify">'
        "Tell me when the model is ready</button></p>"
    )


def _list_rows(view: SessionView, record: SessionRecord) -> Iterable[tuple[str, str]]:
    snapshot, figures = view.snapshot, view.figures
    yield "Session", record.session_id
    for engine in record.models:
        length = f", context of {engine.max_model_len:,} tokens" if engine.max_model_len else ""
        yield "Model", f"{engine.served_model_name}{length}"
    yield "Runs on", f"{record.host}{f', job {record.slurm_job_id}' if record.slurm_job_id else ''}"
    if (after := record.hand_over) is not None and after.session_id:
        yield "Goes on as", after.session_id if after.is_done else f"{after.session_id} ({after.phase.value})"
    if record.ends_at is not None and not record.status.is_over:
        yield "Time left", render_rough_duration(record.ends_at - snapshot.now)
    if record.idle_stop_at is not None and not record.status.is_over:
        yield "Ends unless used", f"in {render_rough_duration(record.idle_stop_at - snapshot.now)}"
    if view.cost is not None:
        spent = count_su(view.cost, snapshot.now, record.ended_at)
        unit, most = view.cost["unit"], view.cost["su_most"]
        yield "Cost", f"{spent:,.1f} of at most {most:,.0f} {unit}; {max(0.0, most - spent):,.0f} {unit} left"
    if snapshot.tokens_per_s is not None:
        yield "Speed now", f"{snapshot.tokens_per_s:,.0f} tokens/s"
    if snapshot.running is not None:
        waiting = f", {figures.waiting:,} of them waiting" if figures.waiting else ""
        yield "Requests now", f"{snapshot.running:,}{waiting}"
    if figures.kv_cache_usage is not None:
        yield "KV cache used", f"{figures.kv_cache_usage:.0%}"


def _render_endpoint(record: SessionRecord) -> str:
    if record.base_url is None or record.status.is_over:
        return ""
    # The gateway gives everybody their own key, when they ask.
    key = (
        '<p class="curc-copy"><span class="curc-label">API key</span><code id="curc-key">hidden</code> '
        '<button type="button" class="curc-link" data-curc-act="key">Show</button>'
        '<button type="button" class="curc-link" data-curc-act="copy-key">Copy</button></p>'
    )
    url = escape_line(record.base_url)
    return (
        '<h3 class="curc-group">OpenAI-compatible endpoint</h3>'
        f'<p class="curc-copy"><code>{url}</code> <button type="button" class="curc-link" '
        f'data-curc-act="copy" data-curc-value="{url}">Copy</button></p>{key}'
        '<p class="curc-none">From the cluster; from your own computer: <code>curc-llm tunnel</code>. '
        '<button type="button" class="curc-link" data-curc-do="code">This conversation as code</button></p>'
    )


def _render_kept(view: SessionView) -> str:
    if not view.kept:
        return ""
    return f'<h3 class="curc-group">What is kept</h3><p class="curc-none">{escape_line(view.kept)}</p>'


def _render_sharing(view: SessionView, record: SessionRecord) -> str:
    """For the owner: the commands that let others in, and themselves in another browser."""
    if not view.is_owner or record.status.is_over:
        return ""
    share = _render_command(f"curc-llm share --link NAME -s {record.session_id}")
    again = _render_command(f"curc-llm endpoint {record.session_id} --login-link")
    return (
        '<h3 class="curc-group">Let others in</h3>'
        f'{share}<p class="curc-none">Makes a link for a lab-mate, with a chat and a key of their own; '
        f"for a user of the portal write their name in place of <code>--link NAME</code>.</p>{again}"
        '<p class="curc-none">Makes a login link for yourself, for another browser.</p>'
    )


def _render_command(text: str) -> str:
    return f'<p class="curc-copy"><code>{escape_line(text)}</code> {_render_copy(text)}</p>'


def _render_copy(text: str) -> str:
    click = f'data-curc-act="copy" data-curc-value="{escape_line(text)}"'
    return f'<button type="button" class="curc-link" {click}>Copy</button>'


def _render_logs(view: SessionView, record: SessionRecord) -> str:
    if not view.logs:
        return ""
    path = f"<code>{escape_line(view.logs)}</code>"
    if view.is_in_portal:
        link = f'href="{FILES}{quote(view.logs)}" target="_blank" rel="noopener noreferrer"'
        path = f"<a {link}>{escape_line(view.logs)}</a>"
    command = _render_command(f"curc-llm logs {record.session_id}") if view.is_owner else ""
    return (
        f'<h3 class="curc-group">Logs</h3><p class="curc-copy">{path} {_render_copy(view.logs)}</p>{command}'
    )
