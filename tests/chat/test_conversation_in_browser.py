from __future__ import annotations

import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from curc_llm.chats.timing import MIN_STREAM_S
from tests.browser import wait_for_clipboard
from tests.chat.conversation import answers, asides, ask_and_see, box, questions, send
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import PREFIX, FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser

RICH = r"""The mean is \(\bar{x}\), and

\[ s^2 = \frac{1}{n-1} \sum_i (x_i - \bar{x})^2 \]

```python
price = "$5 and $6"
```

A price of $5 is none, $a^2$ is one, and

$$c^2$$

| a | b |
|---|---|
| 1 | 2 |

```mermaid
graph TD; A-->B
```
"""


def test_an_answer_streams_and_gets_its_figures(page: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.wait_for_timeout(1000 * MIN_STREAM_S)  # of a shorter answer no speed is told
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(asides(page)).to_contain_text(re.compile(r"4 tokens.* tokens/s.*first token"))
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert set(site.users) == {"owner"}


def test_code_formulas_and_tables_are_set(page: Page, site: FakeGateway) -> None:
    site.default = Reply(RICH)
    send(page, "Hi")
    expect(page.locator(".katex-display")).to_have_count(2)
    expect(page.locator("[data-testid=bot] .katex")).to_have_count(4)
    expect(answers(page)).to_contain_text("A price of $5 is none")
    # A diagram stays code: its labels could be HTML again.
    expect(page.locator("pre code")).to_have_text(['price = "$5 and $6"\n', "graph TD; A-->B\n"])
    expect(page.locator("pre .token.string")).to_have_count(1)
    expect(page.locator("#curc-chat .bot svg[id*=mermaid]")).to_have_count(0)
    expect(page.get_by_role("cell", name="2")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("pre").first.hover()
    page.locator("[data-testid=bot] .copy_code_button").first.click()
    wait_for_clipboard(page, lambda text: text == 'price = "$5 and $6"')


def test_reasoning_is_folded_once_the_answer_comes(page: Page, site: FakeGateway) -> None:
    site.default = Reply("Yes.", reasoning="Let me think", hold_after=3)
    send(page, "Hi")
    expect(page.get_by_text("Let me think")).to_be_visible()
    page.wait_for_timeout(200)  # less than 0.1 s of thinking isn't told
    site.release()
    expect(answers(page)).to_have_text("Yes.")
    expect(page.get_by_text("Let me think")).to_be_hidden()
    expect(asides(page).first).to_contain_text(re.compile(r"Reasoning \(\d+\.\d s\)"))
    asides(page).first.click()
    expect(page.get_by_text("Let me think")).to_be_visible()


def test_shift_enter_starts_a_line_and_enter_sends(page: Page, site: FakeGateway) -> None:
    box(page).press_sequentially("a")
    box(page).press("Shift+Enter")
    box(page).press_sequentially("b")
    box(page).press("Enter")
    expect(answers(page)).to_have_text("Hello there.")
    assert site.requests[-1]["messages"] == [{"role": "user", "content": "a\nb"}]
    expect(box(page)).to_have_value("")


def test_stop_keeps_the_text_ends_the_generation_and_what_was_typed_stays(
    page: Page, site: FakeGateway
) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    box(page).fill("next")
    box(page).press("Enter")
    page.get_by_role("button", name="Stop").click()
    expect(asides(page)).to_contain_text("stopped")
    expect(answers(page)).to_have_text("one two")
    expect(box(page)).to_have_value("next")
    site.wait_for(lambda g: g.running == 0)
    assert len(site.requests) == 1


def test_retry_asks_the_same_again_and_arrows_lead_to_the_first_answer(page: Page, site: FakeGateway) -> None:
    ask_and_see(page, "Hi")
    site.default = Reply("Second try.")
    page.get_by_role("button", name="Retry").click()
    expect(answers(page)).to_have_text("Second try.")
    assert site.requests[1] == site.requests[0]
    expect(page.locator(".curc-versions")).to_have_text("‹2/2›")
    page.get_by_role("button", name="Version before").click()
    expect(answers(page)).to_have_text("Hello there.")
    expect(page.locator(".curc-versions")).to_have_text("‹1/2›")
    expect(page.get_by_role("button", name="Version before")).to_be_disabled()
    # What is asked next follows the version that is shown.
    ask_and_see(page, "And now?", "Second try.")
    assert [m["content"] for m in site.requests[-1]["messages"]] == ["Hi", "Hello there.", "And now?"]


def test_an_edited_message_makes_a_branch_and_arrows_lead_back(page: Page, site: FakeGateway) -> None:
    ask_and_see(page, "first")
    ask_and_see(page, "second")
    page.get_by_role("button", name="Edit", exact=True).first.click()
    page.locator(".edit-textarea").fill("changed")
    page.get_by_role("button", name="Submit").click()
    expect(answers(page)).to_have_count(1)
    site.wait_for(lambda g: g.requests[-1]["messages"] == [{"role": "user", "content": "changed"}])
    expect(questions(page)).to_have_text(["changed"])
    expect(page.locator(".curc-versions")).to_have_text("‹2/2›")
    page.get_by_role("button", name="Version before").click()
    expect(questions(page)).to_have_text(["first", "second"])
    expect(page.locator(".curc-versions")).to_have_text("‹1/2›")
    page.get_by_role("button", name="Next version").click()
    expect(questions(page)).to_have_text(["changed"])


def test_a_cut_answer_goes_on_where_it_ended(page: Page, site: FakeGateway) -> None:
    site.default = Reply("The first half", finish_reason="length")
    ask_and_see(page, "Hi", "The first half")
    expect(asides(page).last).to_contain_text("cut off at the token limit")
    site.default = Reply(" and the second.", hold_after=1)
    page.get_by_role("button", name="Continue the answer").click()
    expect(answers(page)).to_have_text("The first half and")
    site.release()
    expect(answers(page)).to_have_text("The first half and the second.")
    request = site.requests[-1]
    assert request["messages"][-1] == {"role": "assistant", "content": "The first half"}
    assert (request["continue_final_message"], request["add_generation_prompt"]) == (True, False)
    expect(page.get_by_role("button", name="Continue the answer")).to_have_count(0)
    expect(page.locator(".curc-versions")).to_have_count(0)


def test_escape_stops_and_what_came_can_be_continued(page: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    page.keyboard.press("Escape")
    expect(asides(page)).to_contain_text("stopped")
    expect(page.get_by_role("button", name="Continue the answer")).to_be_visible()
    site.wait_for(lambda g: g.running == 0)


def test_the_up_arrow_in_an_empty_box_edits_the_last_message(page: Page, site: FakeGateway) -> None:
    ask_and_see(page, "first")
    ask_and_see(page, "second")
    expect(page.get_by_role("button", name="Edit", exact=True)).to_have_count(2)
    box(page).press("ArrowUp")
    expect(page.locator(".edit-textarea")).to_be_focused()
    expect(page.locator(".edit-textarea")).to_have_value("second")
    page.keyboard.press("Escape")
    box(page).fill("a draft")
    box(page).press("ArrowUp")
    expect(box(page)).to_have_value("a draft")
    assert len(site.requests) == 2


def test_a_rating_is_kept_with_the_chat(page: Page, chat: ChatProcess) -> None:
    ask_and_see(page, "Hi")
    page.get_by_role("button", name="Like", exact=True).first.click()
    wait_until(lambda: '"rating": 1' in read_chats(chat))


def test_an_answer_that_failed_can_be_asked_again(page: Page, site: FakeGateway) -> None:
    site.default = Reply("Half", error={"message": "It stopped.", "code": "engine_failed"})
    send(page, "Hi")
    expect(page.locator("#curc-chat .curc-alert")).to_be_visible()
    site.default = Reply("Whole.")
    page.get_by_role("button", name="Retry").last.click()
    expect(answers(page)).to_have_text("Whole.")
    assert [m["role"] for m in site.requests[-1]["messages"]] == ["user"]


def test_an_example_is_sent_with_a_click(page: Page, site: FakeGateway) -> None:
    first = page.locator(".example").first
    text = first.inner_text()
    first.click()
    expect(answers(page)).to_have_text("Hello there.")
    assert site.requests[-1]["messages"] == [{"role": "user", "content": text}]


def test_a_message_written_while_the_model_loads_is_sent_when_it_is_ready(
    page: Page, site: FakeGateway
) -> None:
    site.record = make_record(
        status="starting",
        engines=[make_engine(phase="loading", progress=0.4, ready_at=None, expected_ready_s=200)],
    )
    page.reload()
    expect(page.get_by_text("Loading the model into memory (40%): curc-guide")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    send(page, "Early")
    expect(asides(page)).to_contain_text("Waiting for the model: loading the model into memory (40%)")
    assert site.requests == []
    site.record = make_record()
    expect(answers(page)).to_have_text("Hello there.")
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_a_message_whose_page_was_loaded_again_before_its_answer_is_asked_with_a_click(
    page: Page, site: FakeGateway
) -> None:
    site.record = make_record(status="starting", engines=[make_engine(phase="loading", ready_at=None)])
    page.reload()
    send(page, "Early")
    expect(asides(page)).to_contain_text("Waiting for the model")
    page.reload()
    expect(questions(page)).to_have_text(["Early"])
    expect(asides(page)).to_have_text(re.compile("No answer yet"))
    expect(page.locator("#curc-chat")).to_contain_text("Retry with the arrow below, or edit the message.")
    site.record = make_record()
    page.get_by_role("button", name="Retry").click()
    expect(answers(page)).to_have_text("Hello there.")
    expect(page.get_by_text("No answer yet")).to_have_count(0)


def test_a_failure_is_told_in_words_in_the_conversation_and_above_it(page: Page, site: FakeGateway) -> None:
    oom = {"code": "oom", "message": "The GPU is full.", "remedy": "Use a shorter context."}
    site.default = Reply(
        "Half an answer", hold_after=1, error={"message": "It stopped.", "code": "engine_failed"}
    )
    send(page, "Hi")
    expect(answers(page)).to_have_text("Half")
    site.record = make_record(engines=[make_engine(phase="failed", trouble=oom)])
    site.release()
    notice = page.locator(".thought-group", has=page.locator(".curc-alert"))
    expect(notice).to_contain_text("It stopped. The GPU is full.")
    expect(notice).to_contain_text("Use a shorter context.")
    expect(page.get_by_role("alert")).to_contain_text("curc-guide has stopped.")
    expect(answers(page)).to_have_text("Half an answer")


def test_keep_going_answers_the_idle_warning(page: Page, site: FakeGateway) -> None:
    def go_on() -> None:
        site.record = make_record()

    site.on_keep_going = go_on
    site.record = make_record(idle_stop_at=time.time() + 200)
    page.reload()
    expect(page.get_by_text("because nobody uses it")).to_be_visible()
    page.get_by_role("button", name="Keep going").click()
    expect(page.get_by_text("because nobody uses it")).to_be_hidden()
    expect(page.get_by_role("button", name="Keep going")).to_be_hidden()


@pytest.mark.parametrize("host", ["", "node7.example:4711"])
def test_the_page_works_below_a_prefix_and_behind_another_host(
    context: BrowserContext, site: FakeGateway, host: str
) -> None:
    site.host_header = host
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(site.url(PREFIX))
    send(page, "Hi")
    expect(answers(page)).to_have_text("Hello there.")
    root = f"http://127.0.0.1:{site.port}{PREFIX}/chat/"
    assert requests
    assert [url for url in requests if not url.startswith((root, "data:"))] == []
    page.close()


def test_nothing_of_a_conversation_is_in_the_browsers_storage(page: Page) -> None:
    send(page, "a secret")
    expect(answers(page)).to_have_text("Hello there.")
    kept = page.evaluate(
        "async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,"
        " await indexedDB.databases(), await caches.keys()])"
    )
    assert kept == '[{},{},"",[],[]]'


def test_copying_gives_the_models_own_text(page: Page, site: FakeGateway) -> None:
    site.default = Reply("Use <b>x</b> and $a$.", reasoning="Hm")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    send(page, "Hi")
    expect(asides(page)).to_have_count(2)
    copies = page.get_by_role("button", name="Copy message")
    expect(copies).to_have_count(2)
    copies.last.click()
    wait_for_clipboard(page, lambda text: text == "Use <b>x</b> and $a$.")


def test_a_closed_tab_ends_the_generation(context: BrowserContext, site: FakeGateway) -> None:
    """At the bare port at once; Apache learns that its client is gone when it has the next token to send."""
    for address, reply in (
        (site.url(""), Reply("one two three", hold_after=2)),
        (site.url(), Reply("on and " * 2000, gap_s=0.02)),
    ):
        site.default = reply
        page = context.new_page()
        page.goto(address)
        send(page, "Hi")
        expect(answers(page)).to_contain_text("on")
        page.close()
        site.wait_for(lambda g: g.running == 0)  # long before the second reply has an end


def test_the_socket_is_the_owners_alone(chat: ChatProcess) -> None:
    assert stat.S_IMODE(chat.gateway.chat_socket.stat().st_mode) == 0o600


def test_an_empty_page_says_what_becomes_of_the_data(page: Page) -> None:
    expect(page.get_by_text("Don't use data that your institution forbids")).to_be_visible()


def test_a_page_that_nobody_uses_lets_the_processor_rest(page: Page, chat: ChatProcess) -> None:
    expect(box(page)).to_be_visible()
    before = count_wakeups(chat.process.pid)
    time.sleep(2)  # a rate needs a stretch of time
    assert (count_wakeups(chat.process.pid) - before) / 2 < 300  # Gradio alone: 900 a second


def count_wakeups(pid: int) -> int:
    """How often a process has slept so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def read_chats(chat: ChatProcess) -> str:
    """All that is saved, as it stands in the files."""
    return "".join(file.read_text() for file in chat.saved.glob("*.jsonl"))


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it didn't come about"
        time.sleep(0.05)


def test_enter_twice_asks_once(page: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    box(page).fill("Only once")
    box(page).press("Enter")
    box(page).press("Enter")
    expect(answers(page)).to_have_text("one two")
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    expect(questions(page)).to_have_text(["Only once"])
    assert len(site.requests) == 1
