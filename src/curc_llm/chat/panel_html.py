"""The banner and the title row as HTML. Everything that comes from outside is escaped here."""

from __future__ import annotations

from html import escape

from curc_llm.chat.session_panel import Banner


def render_banner(banner: Banner | None) -> str:
    """Writes the banner; empty when there is none."""
    if banner is None:
        return ""
    role = "alert" if banner.level == "trouble" else "status"
    detail = f'<div class="curc-banner-detail">{_code(escape(banner.detail))}</div>' if banner.detail else ""
    return (
        f'<div class="curc-banner curc-{escape(banner.level)}" role="{role}">'
        f'<div class="curc-banner-title">{escape(banner.title)}</div>'
        f"{detail}{_render_bar(banner.progress)}</div>"
    )


def render_header(model: str, status_line: str, is_well: bool) -> str:
    """Writes the title row: the model's name, and how it is."""
    state = "well" if is_well else "waiting"
    return (
        f'<div class="curc-header"><h1>{escape(model)}</h1>'
        f'<span class="curc-status"><span class="curc-dot curc-{state}" aria-hidden="true"></span>'
        f"{escape(status_line)}</span></div>"
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
