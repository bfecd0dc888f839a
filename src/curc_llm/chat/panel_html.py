"""The banner and the title row as HTML. Everything that comes from outside is escaped here."""

from __future__ import annotations

from curc_llm.chat.escaping import escape_line
from curc_llm.chat.session_panel import Banner


def render_banner(banner: Banner | None, *, is_owner: bool = False) -> str:
    """Writes the banner; empty when there is none.

    Args:
        banner: what it says.
        is_owner: others get no button that starts a model again, and no command that they can't run.
    """
    if banner is None:
        return ""
    role = "alert" if banner.level == "trouble" else "status"
    detail = (
        f'<div class="curc-banner-detail">{_code(escape_line(banner.detail))}</div>' if banner.detail else ""
    )
    closes_as = f' data-curc-closes="{escape_line(banner.closes_as)}"' if banner.closes_as else ""
    return (
        f'<div class="curc-banner curc-{escape_line(banner.level)}" role="{role}"{closes_as}>'
        f"{CLOSE if closes_as else ''}"
        f'<div class="curc-banner-title">{escape_line(banner.title)}</div>'
        f"{detail}{_render_way_on(banner) if is_owner else ''}{_render_bar(banner.progress)}</div>"
    )


CLOSE = (
    '<button type="button" class="curc-banner-close" data-curc-act="close-banner" '
    'aria-label="Close the notice" title="Close the notice">×</button>'
)


def _render_way_on(banner: Banner) -> str:
    """What a person can do about it: a button, or a command to copy."""
    if banner.can_restart:
        click = f'data-curc-do="restart" data-curc-value="{escape_line(banner.model)}"'
        button = f'<button type="button" class="curc-banner-button" {click}>Start the model again</button>'
        return f'<div class="curc-banner-do">{button}</div>'
    if banner.moves_to:
        click = f'data-curc-act="move" data-curc-value="{escape_line(banner.moves_to)}"'
        button = f'<button type="button" class="curc-banner-button" {click}>Go to its page</button>'
        return f'<div class="curc-banner-do">{button}</div>'
    if not banner.again:
        return ""
    command = escape_line(banner.again)
    click = f'data-curc-act="copy" data-curc-value="{command}"'
    copy = f'<button type="button" class="curc-link" {click}>Copy</button>'
    portal = IN_PORTAL if banner.is_job else ""
    return f'<div class="curc-banner-do">To launch it again: <code>{command}</code> {copy}{portal}</div>'


IN_PORTAL = "<br>If you launched it in the portal: launch it again from My Interactive Sessions."


def render_header(model: str, status_line: str, is_well: bool, is_new: bool = False, state: str = "") -> str:
    """Writes the title row: the model's name, and how it is.

    Args:
        model: its name.
        status_line: a few words.
        is_well: whether it can answer.
        is_new: whether the page's settings are still those of another model; page.js then asks for them.
        state: what the browser's tab says of it; empty when it is ready.
    """
    dot = "well" if is_well else "waiting"
    mark = ' data-curc-new="1"' if is_new else ""
    return (
        f'<div class="curc-header" data-curc-state="{escape_line(state)}"{mark}><h1>{escape_line(model)}</h1>'
        f'<span class="curc-status"><span class="curc-dot curc-{dot}" aria-hidden="true"></span>'
        f"{escape_line(status_line)}</span></div>"
    )


def _render_bar(progress: float | None) -> str:
    if progress is None:
        return ""
    value = "" if progress < 0 else f' value="{progress:.3f}"'
    label = "Progress until the model is ready"
    return f'<progress class="curc-bar" max="1"{value} aria-label="{label}"></progress>'


def _code(text: str) -> str:
    """`commands` between backticks as code."""
    parts = text.split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
