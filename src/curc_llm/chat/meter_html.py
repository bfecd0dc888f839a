"""The context meter as HTML. All of it is figures of ours, escaped all the same."""

from __future__ import annotations

from curc_llm.chat.context import ContextUse, render_use
from curc_llm.chat.escaping import escape_line

WORDS = {
    "calm": "",
    "near": "The context is getting full.",
    "full": "The context is nearly full.",
}
OVER = "The context is full: the next question has no room."


def render_meter(use: ContextUse) -> str:
    """The meter: a bar, and the same in words, for eyes and for screen readers.

    Nothing is drawn while the length of the context isn't known; the words stand alone then.

    Args:
        use: as it was measured.
    """
    words = render_use(use)
    hint = OVER if use.is_over else WORDS[use.level]
    label = escape_line(f"{words}. {hint}".strip())
    told = f'<span class="curc-meter-words">{escape_line(words)}</span>'
    warned = f'<span class="curc-meter-hint" role="status">{escape_line(hint)}</span>' if hint else ""
    return f'<div class="curc-meter curc-meter-{use.level}">{_render_bar(use, label)}{told}{warned}</div>'


def _render_bar(use: ContextUse, label: str) -> str:
    if use.max_model_len is None:
        return ""
    most = max(use.max_model_len, 1)
    now = min(use.used_tokens, most)
    # The answer's room is drawn only where it matters: else an empty context looks used.
    answer = 0 if use.level == "calm" else min(use.reserved_tokens, most - now)
    return (
        f'<span class="curc-meter-bar" role="meter" aria-label="Context used" aria-valuemin="0"'
        f' aria-valuemax="{most}" aria-valuenow="{now}" aria-valuetext="{label}" title="{label}">'
        f'<span class="curc-meter-used" style="width:{100 * now / most:.1f}%"></span>'
        f'<span class="curc-meter-answer" style="width:{100 * answer / most:.1f}%"></span></span>'
    )
