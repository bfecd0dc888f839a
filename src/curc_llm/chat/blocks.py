"""Gradio's Blocks, without what it does over and over for nothing while a hundred people chat."""

from __future__ import annotations

import copy
import enum
import sys
import time
from collections import OrderedDict
from typing import Any

import gradio as gr
from fastapi.routing import APIRoute
from gradio.block_function import BlockFunction
from gradio.blocks import Block

SKIPPED = gr.skip()


class ThriftyBlocks(gr.Blocks):
    """Blocks in which `gr.skip()` costs nothing, and in which values are made ready in the loop itself.

    Gradio 6.31 takes `gr.skip()` for an update that changes nothing: it makes the component anew, and then
    its part of the config, which for a Chatbot takes 5 ms of CPU at each tick of a page's timer (measured on
    2 cores of an AMD EPYC, 2026-11-22). Values it hands to a thread each, which with a hundred people is a
    queue for the interpreter's lock.
    """

    async def process_api(  # type: ignore[override] # Gradio names what it gives
        self,
        block_fn: Any,
        inputs: list[Any],
        state: Any = None,
        *,
        iterator: Any = None,
        session_hash: str | None = None,
        **more: Any,
    ) -> Any:
        """Runs an event, as Gradio does. No value of ours has an address that the root would stand before."""
        if iterator is not None and session_hash is not None and isinstance(block_fn, BlockFunction):
            return await self._go_on(block_fn, iterator, state, session_hash)
        more |= {"iterator": iterator, "session_hash": session_hash, "root_path": None}
        return await super().process_api(block_fn, inputs, state, **more)

    async def _go_on(self, block_fn: BlockFunction, iterator: Any, state: Any, session_hash: str) -> Any:
        """The next update of an event that gives several; the last one again at the end, as Gradio has it."""
        run = self._stream_run_key(iterator)
        began, is_over, data = time.monotonic(), False, [None] * len(block_fn.outputs)
        try:
            data = await self.postprocess_data(block_fn, await anext(iterator), state)
        except StopAsyncIteration:
            is_over = True
        return {
            "data": self.handle_streaming_diffs(block_fn, data, session_hash, run, final=is_over),
            "is_generating": not is_over,
            "iterator": None if is_over else iterator,
            "duration": time.monotonic() - began,
            "average_duration": None,
            "render_config": None,
            "changed_state_ids": [],
            "used_cache": None,
        }

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Makes what a handler is given, as Gradio does."""
        is_known = block_fn.preprocess and not block_fn.batch and not block_fn.component_prop_inputs
        if not is_known or any(block.stateful or block.data_model for block in block_fn.inputs):
            return list(await super().preprocess_data(block_fn, inputs, state, explicit_call))
        part = copy.copy(block_fn)
        part.preprocess = False
        values = await super().preprocess_data(part, inputs, state, explicit_call)
        pairs = zip(block_fn.inputs, values, strict=True)
        return [_find(block, state).preprocess(value) for block, value in pairs]

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Makes what the browser is sent, as Gradio does, of the outputs that aren't skipped."""
        outputs = block_fn.outputs
        values = [predictions] if len(outputs) == 1 else predictions
        if not isinstance(values, list | tuple) or len(values) != len(outputs) or block_fn.batch:
            return list(await super().postprocess_data(block_fn, predictions, state))
        sent: list[Any] = [dict(SKIPPED) for _ in outputs]
        plain = [i for i, value in enumerate(values) if state is not None and _is_plain(value)]
        for i in plain:
            sent[i] = _send_plain(outputs[i], values[i], state)
        others = [i for i, value in enumerate(values) if i not in plain and value != SKIPPED]
        if others:
            chosen = [values[i] for i in others]
            one_or_all = chosen[0] if len(chosen) == 1 else chosen
            part = _take_part(block_fn, others)
            made = await super().postprocess_data(part, one_or_all, state)
            for i, value in zip(others, made, strict=True):
                sent[i] = value
        return sent


def save_on_queue(page: gr.Blocks, pause_s: float) -> None:
    """Has Gradio's queue look for events less often, and make no statistics of them.

    The statistics are a pandas table of the last 10,000 events, made anew after each one; nobody sees them.

    Args:
        page: with its queue.
        pause_s: between two looks, in seconds. Its own millisecond is 6 to 9 % of a core, idle.
    """
    queue = page._queue  # noqa: SLF001 - Gradio has no setting for it
    queue.sleep_when_free = queue.progress_update_sleep_when_free = pause_s
    queue.ANALYTICS_MAX_EVENTS, queue.ANAYLTICS_CACHE_FREQUENCY = 1, sys.maxsize


def save_on_login(page: gr.Blocks) -> None:
    """Takes Gradio's own login check off its routes: it waits for a thread, and there is none to check.

    Raises:
        RuntimeError: there is one after all.
    """
    app = page.app
    if page.auth or app.auth is not None or app.auth_dependency is not None:
        raise RuntimeError("Gradio has a login of its own: its check must stay.")
    for route in app.routes:
        for needed in route.dependant.dependencies if isinstance(route, APIRoute) else ():
            if getattr(needed.call, "__name__", "") == "login_check":
                needed.call, needed.dependencies = _pass, []


async def _pass() -> None:
    """Lets everybody in, who has come through the gateway."""


def _is_plain(value: Any) -> bool:
    """Whether it is a component's value: no update, no component, no sign of Gradio's own."""
    is_update = isinstance(value, dict) and "__type__" in value
    return not is_update and not isinstance(value, Block | enum.Enum)


def _find(block: Any, state: Any) -> Any:
    return state[block._id] if state is not None and block._id in state else block  # noqa: SLF001 - Gradio's own key


def _send_plain(block: Any, value: Any, state: Any) -> Any:
    """A value as the browser has it. None of ours holds a file, for which Gradio would search it twice."""
    known = _find(block, state)
    sent = _send_rows(known, value) if isinstance(known, gr.Chatbot) and value else _dump(known, value)
    if block._id not in state:  # noqa: SLF001 - Gradio's own key
        state[block._id] = block  # noqa: SLF001 - Gradio's own key
    state._update_value_in_config(block._id, sent)  # noqa: SLF001 - Gradio's own key
    return sent


def _dump(block: Any, value: Any) -> Any:
    made = block.postprocess(value)
    return made.model_dump() if hasattr(made, "model_dump") else made


def _send_rows(chatbot: gr.Chatbot, rows: list[dict[str, Any]]) -> list[Any]:
    """A conversation, of which only the last rows are new: the others are made ready once."""
    sent: list[Any] = []
    for row in rows:
        about = row.get("metadata") or {}
        is_simple = isinstance(row.get("content"), str) and not row.keys() - _SIMPLE
        if is_simple and not about.keys() - {"title", "status"}:
            sent += _send_row(chatbot, row["role"], row["content"], about.get("title"), about.get("status"))
        else:
            sent += _dump(chatbot, [row])
    return sent


_SIMPLE = {"role", "content", "metadata"}
_sent_rows: OrderedDict[tuple[Any, ...], list[Any]] = OrderedDict()
MOST_ROWS = 1000


def _send_row(chatbot: gr.Chatbot, *fields: Any) -> list[Any]:
    if fields not in _sent_rows:
        role, content, title, status = fields
        about = {name: one for name, one in (("title", title), ("status", status)) if one is not None}
        row = {"role": role, "content": content, **({"metadata": about} if about else {})}
        _sent_rows[fields] = _dump(chatbot, [row])
    _sent_rows.move_to_end(fields)
    while len(_sent_rows) > MOST_ROWS:
        _sent_rows.popitem(last=False)
    return _sent_rows[fields]


def _take_part(block_fn: Any, places: list[int]) -> Any:
    """The event with some of its outputs alone."""
    part = copy.copy(block_fn)
    part.outputs = [block_fn.outputs[i] for i in places]
    return part
