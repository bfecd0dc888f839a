"""What is done with a conversation that the context has no room for. Never silently: there is a sentence.

Refusing is what is done unless a person chose otherwise for the chat: an answer that was made of a part of
the conversation looks just like one that was made of all of it, and only the person knows which part matters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from curc_llm.chat.controls import WhenFull
from curc_llm.chat.gauge import ApiMessage, Gauge
from curc_llm.chat.summary import Summary, apply_summary, split_system

# What is left out or summarised grows by an eighth of the room at a time: from turn to turn the prompt then
# begins with the same words, which the engine then needn't read again (prefix caching).
STEPS = 8
# After a summary the rest takes no more than half of the room, so that the next one isn't due at once.
AFTER_SUMMARY = 0.5
# Below this part of the room an estimate will do; above it the engine is asked.
COUNT_FROM = 0.6
TRIES = 3
CHOICES = (
    "Leave out or summarise the oldest messages (Settings, “When the context is full”), or begin a new chat."
)
Count = Callable[[list[ApiMessage]], Awaitable[int | None]]


@dataclass(frozen=True)
class Fitted:
    """What can be sent.

    Args:
        messages: to send; empty when nothing is.
        sentence: what was done, for the person; empty when nothing was.
        remedy: what the person can do, when it was refused.
        num_left_out: messages that the model doesn't see.
        num_summarised: messages that the model sees as a summary.
        num_to_summarise: messages to be summarised before anything is sent: ask for it, apply it, fit again.
    """

    messages: list[ApiMessage]
    sentence: str = ""
    remedy: str = ""
    num_left_out: int = 0
    num_summarised: int = 0
    num_to_summarise: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether nothing can be sent."""
        return not self.messages and not self.num_to_summarise


def fit(
    messages: Sequence[ApiMessage],
    room_tokens: int,
    policy: WhenFull = WhenFull.REFUSE,
    *,
    gauge: Gauge | None = None,
    used_tokens: int | None = None,
    summary: Summary | None = None,
) -> Fitted:
    """Makes a conversation fit.

    The system prompt and the last question always stay; what is left out are whole exchanges, oldest first;
    what is sent begins with a person's message.

    Args:
        messages: all of them, as the API has them.
        room_tokens: what they may take.
        policy: what a person chose.
        gauge: estimates tokens.
        used_tokens: what they take, where that is known better than by estimate.
        summary: an earlier one; it is used when it is of this conversation.

    Example:
        >>> talk = [{"role": r, "content": "x" * 400} for r in ("user", "assistant", "user")]
        >>> fit(talk, 1000).sentence, fit(talk, 150, WhenFull.TRIM).num_left_out
        ('', 2)
    """
    costs = _find_costs(messages, gauge or Gauge(), used_tokens)
    if sum(costs) <= room_tokens:
        return Fitted(list(messages))
    num_system = len(split_system(messages)[0])
    cuts = _find_cuts(messages, num_system)
    least = sum(costs[:num_system]) + sum(costs[cuts[-1] :])
    if least > room_tokens:
        return _refuse_question(least, room_tokens)
    if policy is WhenFull.TRIM:
        return _trim(list(messages), costs, room_tokens, num_system, cuts)
    if policy is WhenFull.SUMMARISE:
        return _summarise(list(messages), costs, room_tokens, num_system, cuts, summary, gauge or Gauge())
    return Fitted([], f"Not sent: {_tell(sum(costs), room_tokens)}", CHOICES)


async def fit_counted(
    messages: Sequence[ApiMessage],
    room_tokens: int,
    policy: WhenFull,
    count: Count,
    *,
    used_tokens: int | None = None,
    gauge: Gauge | None = None,
    summary: Summary | None = None,
) -> Fitted:
    """As `fit`, with the engine's own counts where it matters: near the limit.

    Args:
        messages: all of them, as the API has them.
        room_tokens: what they may take.
        policy: what a person chose.
        count: asks the engine; None when it can't say, then estimates must do.
        used_tokens: by estimate, as `measure` has it.
        gauge: estimates tokens.
        summary: an earlier one.
    """
    gauge = gauge or Gauge()
    used = gauge.count(messages) if used_tokens is None else used_tokens
    if used <= COUNT_FROM * room_tokens:
        return Fitted(list(messages))
    exact = await count(list(messages))
    gauge, used = gauge.learn(messages, exact), used if exact is None else exact
    aim = room_tokens
    for _ in range(TRIES):
        fitted = fit(messages, aim, policy, gauge=gauge, used_tokens=used, summary=summary)
        if not (fitted.num_left_out or fitted.num_summarised) or not fitted.messages:
            break
        tokens = await count(fitted.messages)
        if tokens is None or tokens <= room_tokens:
            break
        aim -= tokens - room_tokens + 1
    return fitted


def _find_costs(messages: Sequence[ApiMessage], gauge: Gauge, used_tokens: int | None) -> list[float]:
    """Tokens of each message; they add up to what is known of the whole."""
    costs = [float(gauge.count([message])) for message in messages]
    total = sum(costs)
    return costs if used_tokens is None or not total else [cost * used_tokens / total for cost in costs]


def _find_cuts(messages: Sequence[ApiMessage], num_system: int) -> list[int]:
    """Where a conversation may be cut: before each question. The last one is the question that is asked."""
    return [i for i, m in enumerate(messages) if i >= num_system and m.get("role") == "user"] or [num_system]


def _choose_cut(costs: list[float], most: float, num_system: int, cuts: list[int], step: float) -> int:
    """The first cut that leaves no more than `most`, and takes out whole steps, where one does."""
    below = [0.0, *accumulate(costs[num_system:])]
    talk = below[-1]
    needed = talk - (most - sum(costs[:num_system]))
    wanted = -(-needed // step) * step
    enough = [cut for cut in cuts if below[cut - num_system] >= needed]
    return next((cut for cut in enough if below[cut - num_system] >= wanted), [*enough, cuts[-1]][0])


def _trim(
    messages: list[ApiMessage], costs: list[float], room: int, num_system: int, cuts: list[int]
) -> Fitted:
    cut = _choose_cut(costs, room, num_system, cuts, room / STEPS)
    num = cut - num_system
    sentence = f"The model didn't see the oldest {_name(num)} of this conversation: {_tell(sum(costs), room)}"
    return Fitted(messages[:num_system] + messages[cut:], sentence, num_left_out=num)


def _summarise(
    messages: list[ApiMessage],
    costs: list[float],
    room: int,
    num_system: int,
    cuts: list[int],
    summary: Summary | None,
    gauge: Gauge,
) -> Fitted:
    applied = messages if summary is None else apply_summary(messages, summary)
    if summary is not None and applied != messages and _weigh(applied, messages, costs, gauge) <= room:
        num = summary.num_messages
        sentence = f"The model saw the oldest {_name(num)} of this conversation as a summary."
        return Fitted(applied, sentence, num_summarised=num)
    cut = _choose_cut(costs, max(AFTER_SUMMARY * room, 1), num_system, cuts, room / STEPS)
    num = cut - num_system
    if summary is not None and applied != messages and summary.num_messages >= num:
        return Fitted(
            [], f"Not sent, even with a summary of what was before: {_tell(sum(costs), room)}", CHOICES
        )
    sentence = f"The oldest {_name(num)} of this conversation are summarised first: {_tell(sum(costs), room)}"
    return Fitted([], sentence, num_to_summarise=num)


def _weigh(applied: list[ApiMessage], messages: list[ApiMessage], costs: list[float], gauge: Gauge) -> float:
    """Tokens of the conversation with its summary, by the same measure as the costs."""
    return gauge.count(applied) * sum(costs) / max(gauge.count(messages), 1)


def _refuse_question(least: float, room: int) -> Fitted:
    return Fitted(
        [],
        f"Not sent: the question alone, with the system prompt and its attachments, takes about {least:,.0f} "
        f"tokens; {_tell_room(room)}",
        "Shorten it, take an attachment away, lower “Max. tokens”, or launch with a longer context.",
    )


def _tell(used: float, room: int) -> str:
    return f"all of it takes about {used:,.0f} tokens, and {_tell_room(room)}"


def _tell_room(room: int) -> str:
    return f"this model's context has room for {room:,} beside its answer."


def _name(num: int) -> str:
    return "message" if num == 1 else f"{num:,} messages"


def refuse_again(fitted: Fitted, why: str) -> Fitted:
    """The refusal that follows when a summary couldn't be had.

    Args:
        fitted: what asked for the summary.
        why: what went wrong, in a sentence.
    """
    sentence = f"Not sent: the oldest messages couldn't be summarised. {why}"
    return replace(fitted, sentence=sentence, remedy=CHOICES, num_to_summarise=0)
