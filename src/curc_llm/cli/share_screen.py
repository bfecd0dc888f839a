"""What `curc-llm share` says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curc_llm.cli.output import Output
    from curc_llm.session.keys import ApiKey
    from curc_llm.session.store import FoundSession
    from curc_llm.session.usage import Usage

HEADS = ("NAME", "BY", "MODELS", "PER MINUTE", "EXPIRES", "REQUESTS", "TOKENS IN", "TOKENS OUT", "LAST USED")


def explain_share(output: Output, found: FoundSession, entry: ApiKey, value: dict[str, Any]) -> None:
    """Says to whom to send the link, how long it is good, and how to take it back."""
    from curc_llm.client.progress import render_duration
    from curc_llm.session.shares import is_link, render_guest

    label = render_guest(entry.name)
    if is_link(entry.name):
        output.say(f"Send this link to one person. It lets the first browser in that opens it ({label}).")
    else:
        output.say(
            f"Send this link to {label}. At the portal it works for that user alone, as often as needed."
        )
        _warn_unknown(output, label)
    if value["other_links"]:
        output.say(f"On the other portal: {'  '.join(value['other_links'])}")
    left = "until the session ends"
    if entry.expires_at is not None:
        left = f"for {render_duration(entry.expires_at - time.time())}, or {left}"
    output.say(f"It is a secret, and good {left}. Take it back: curc-llm share revoke {label}")
    if found.record.slurm_job_id is None:
        output.say("It works where this machine can be reached: for most sessions, here alone.")


def _warn_unknown(output: Output, user: str) -> None:
    import pwd

    try:
        pwd.getpwnam(user)
    except KeyError:
        output.say(f"Note: this machine knows no user {user!r}. Check the spelling: no other user gets in.")


def render_share_row(key: ApiKey, used: Usage, now: float) -> list[str]:
    """A share as a line of `share ls`."""
    from curc_llm.client.progress import render_duration
    from curc_llm.session.shares import is_link, render_guest

    expires = "-" if key.expires_at is None else f"in {render_duration(key.expires_at - now)}"
    last = "never" if used.last_at is None else f"{render_duration(max(0.0, now - used.last_at))} ago"
    models, rate = ", ".join(key.models) or "all", str(key.requests_per_minute or "any")
    by = "link" if is_link(key.name) else "user"
    counts = [f"{n:,}" for n in (used.requests, used.prompt_tokens, used.completion_tokens)]
    return [render_guest(key.name), by, models, rate, expires, *counts, last]


def make_share_entry(key: ApiKey, used: Usage) -> dict[str, Any]:
    """A share as `share ls --json` has it."""
    from curc_llm.session.shares import is_link, render_guest

    return {
        "name": key.name,
        "label": render_guest(key.name),
        "kind": "link" if is_link(key.name) else "user",
        "models": list(key.models),
        "requests_per_minute": key.requests_per_minute,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "requests": used.requests,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "last_used_at": used.last_at,
    }
