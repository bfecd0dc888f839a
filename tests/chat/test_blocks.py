from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from gradio.components.base import _Keywords
from gradio.state_holder import SessionState

from curc_llm.chat.blocks import ThriftyBlocks, save_on_login, save_on_queue

FINISHED = _Keywords.FINISHED_ITERATING
MANY: list[dict[str, Any]] = [
    {"role": "user", "content": "  Hi\n\n    there"},
    {"role": "assistant", "content": "x", "metadata": {"title": "Reasoning", "status": "pending"}},
    {"role": "assistant", "content": "x", "metadata": {"title": "A note"}},
    {"role": "assistant", "content": "", "options": [{"value": "continue", "label": "Go on"}]},
    {"role": "assistant", "content": "x"},
    {"role": "assistant", "content": "x"},
]
HISTORY = [{"role": "assistant", "content": "Hello"}]


def make(kind: type[gr.Blocks], num_outputs: int = 2) -> tuple[gr.Blocks, Any]:
    with kind() as page:
        parts = [gr.Textbox(), gr.Chatbot()]
        parts[0].submit(lambda text: text, [parts[0]], parts[:num_outputs])
    return page, page.fns[0]


async def send(kind: type[gr.Blocks], values: Any, num_outputs: int = 2) -> list[Any]:
    page, event = make(kind, num_outputs)
    # Gradio takes the value out of an update.
    return list(await page.postprocess_data(event, copy.deepcopy(values), SessionState(page)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [
        [gr.skip(), gr.skip()],
        [gr.skip(), HISTORY],
        ["text", gr.skip()],
        ["text", HISTORY],
        ["text", MANY],
        [gr.update(value="x", submit_btn=False), HISTORY],
        [None, []],
        [FINISHED, FINISHED],
        [gr.update(visible=False), gr.skip()],
        gr.skip(),
    ],
)
async def test_the_browser_is_sent_what_gradio_would_send(values: Any) -> None:
    assert await send(ThriftyBlocks, values) == await send(gr.Blocks, values)


@pytest.mark.slow
async def test_an_event_with_one_output_is_gradios() -> None:
    assert await send(ThriftyBlocks, "text", 1) == await send(gr.Blocks, "text", 1)
    assert await send(ThriftyBlocks, gr.skip(), 1) == await send(gr.Blocks, gr.skip(), 1)


@pytest.mark.slow
async def test_a_component_that_is_skipped_is_not_made_anew() -> None:
    page, event = make(ThriftyBlocks)
    state = SessionState(page)
    textbox, chatbot = event.outputs
    await page.postprocess_data(event, [gr.skip(), HISTORY], state)
    assert state[textbox._id] is textbox
    await page.postprocess_data(event, ["x", gr.skip()], state)
    assert state[chatbot._id] is chatbot
    assert event.outputs == [textbox, chatbot]


async def run_updates(kind: type[gr.Blocks], updates: list[Any]) -> list[dict[str, Any]]:
    async def give() -> AsyncGenerator[Any]:
        for one in updates:
            yield copy.deepcopy(one)

    with kind() as page:
        parts = [gr.Textbox(), gr.Chatbot()]
        parts[0].submit(give, None, parts)
    state, iterator, outputs = SessionState(page), None, []
    while True:
        output = await page.process_api(
            page.fns[0], [], state, iterator=iterator, session_hash="page", event_id="event"
        )
        iterator = output["iterator"]
        outputs.append({name: output[name] for name in ("data", "is_generating")})
        if iterator is None:
            assert not page.pending_diff_streams
            return outputs


@pytest.mark.slow
async def test_an_event_of_many_updates_goes_on_as_gradios() -> None:
    more = [*HISTORY, {"role": "assistant", "content": "and more"}]
    updates = [[gr.update(value="", submit_btn=False), HISTORY], [gr.skip(), more], ["x", gr.skip()]]
    assert await run_updates(ThriftyBlocks, updates) == await run_updates(gr.Blocks, updates)


async def test_gradio_makes_no_statistics_of_events() -> None:
    with ThriftyBlocks() as page:
        gr.Textbox()
    page.queue()
    save_on_queue(page, 0.5)
    assert page._queue.compute_analytics_summary([{"function": "f"}] * 3) == {"functions": {}}
    assert page._queue.sleep_when_free == 0.5


async def test_no_request_waits_for_a_thread_to_check_a_login_that_isnt() -> None:
    with ThriftyBlocks() as page:
        gr.Textbox()
    mounted = FastAPI()
    gr.mount_gradio_app(mounted, page, "/chat")
    save_on_login(page)
    calls = [
        needed.call
        for route in page.app.routes
        if isinstance(route, APIRoute)
        for needed in route.dependant.dependencies
    ]
    assert calls
    assert not [call for call in calls if call.__name__ == "login_check"]


async def test_a_login_of_gradios_own_keeps_its_check() -> None:
    with ThriftyBlocks() as page:
        gr.Textbox()
    mounted = FastAPI()
    gr.mount_gradio_app(mounted, page, "/chat", auth=("ada", "secret"))
    with pytest.raises(RuntimeError, match="its check must stay"):
        save_on_login(page)
