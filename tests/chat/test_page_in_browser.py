from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser import wait_for_clipboard
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import PREFIX, FakeGateway, Reply, make_engine, make_record

pytestmark = pytest.mark.browser

RICH = r"""The mean is \(\bar{x}\), and

\[ s^2 = \frac{1}{n-1} \sum_i (x_i - \bar{x})^2 \]

```python
price = "$5 and $6"
```

| a | b |
|---|---|
| 1 | 2 |
"""


def box(page: Page) -> Locator:
    return page.get_by_label("Your message")


def send(page: Page, text: str) -> None:
    # While an answer comes, Enter sends nothing and the text stays.
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    box(page).fill(text)
    box(page).press("Enter")


def answers(page: Page) -> Locator:
    """The model's texts, without what folds."""
    return page.locator("[data-testid=bot] > .message-content")


def asides(page: Page) -> Locator:
    return page.locator(".thought-group .title")


def test_an_answer_streams_and_gets_its_figures(page: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    site.release()
    expect(answers(page)).to_have_text("one two three")
    expect(asides(page)).to_contain_text("4 tokens")
    expect(asides(page)).to_contain_text("first token")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert set(site.users) == {"owner"}


def test_code_formulas_and_tables_are_set(page: Page, site: FakeGateway) -> None:
    site.default = Reply(RICH)
    send(page, "Hi")
    expect(page.locator(".katex-display")).to_have_count(1)
    expect(page.locator("[data-testid=bot] .katex")).to_have_count(2)
    expect(page.locator("pre code")).to_have_text('price = "$5 and $6"\n')
    expect(page.locator("pre .token.string")).to_have_count(1)
    expect(page.get_by_role("cell", name="2")).to_be_visible()


def test_reasoning_is_folded_once_the_answer_comes(page: Page, site: FakeGateway) -> None:
    site.default = Reply("Yes.", reasoning="Let me think", hold_after=3)
    send(page, "Hi")
    expect(page.get_by_text("Let me think")).to_be_visible()
    site.release()
    expect(answers(page)).to_have_text("Yes.")
    expect(page.get_by_text("Let me think")).to_be_hidden()
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


def test_retry_asks_the_same_again(page: Page, site: FakeGateway) -> None:
    send(page, "Hi")
    expect(answers(page)).to_have_text("Hello there.")
    site.default = Reply("Second try.")
    page.get_by_role("button", name="Retry").click()
    expect(answers(page)).to_have_text("Second try.")
    assert site.requests[1] == site.requests[0]


def test_undo_brings_the_message_back_to_be_changed(page: Page) -> None:
    send(page, "Is vector<int> fine?")
    expect(answers(page)).to_have_text("Hello there.")
    page.get_by_role("button", name="Undo").click()
    expect(box(page)).to_have_value("Is vector<int> fine?")
    expect(answers(page)).to_have_count(0)


def test_an_edited_message_is_asked_again_and_what_followed_is_gone(page: Page, site: FakeGateway) -> None:
    send(page, "first")
    expect(answers(page)).to_have_count(1)
    send(page, "second")
    expect(answers(page)).to_have_count(2)
    page.get_by_role("button", name="Edit").first.click()
    page.locator(".edit-textarea").fill("changed")
    page.get_by_role("button", name="Submit").click()
    expect(answers(page)).to_have_count(1)
    site.wait_for(lambda g: g.requests[-1]["messages"] == [{"role": "user", "content": "changed"}])


def test_clearing_in_the_middle_ends_the_generation_and_stays_clear(page: Page, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    page.get_by_role("button", name="Clear").click()
    site.wait_for(lambda g: g.running == 0)
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.locator(".example")).to_have_count(6)


def test_settings_go_into_the_request_and_wrong_ones_are_refused(page: Page, site: FakeGateway) -> None:
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_label("Temperature").fill("9")
    send(page, "Hi")
    expect(page.get_by_text("Temperature can't be '9'")).to_be_visible()
    expect(box(page)).to_have_value("Hi")
    assert site.requests == []
    page.get_by_label("Temperature").fill("0")
    page.get_by_label("Max. tokens").fill("5")
    page.get_by_label("Seed").fill("7")
    box(page).press("Enter")
    expect(answers(page)).to_have_text("Hello there.")
    request = site.requests[-1]
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (request["temperature"], request["max_tokens"], request["seed"]) == (0, 5, 7)
    assert "top_p" not in request


def test_of_several_models_one_can_be_chosen(page: Page, site: FakeGateway) -> None:
    site.record = make_record(engines=[make_engine(), make_engine(served_model_name="qwen")])
    page.reload()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name="qwen").click()
    expect(page.locator("h1")).to_have_text("qwen")
    expect(page.locator(".example").first).to_contain_text("segmentation fault")
    send(page, "Hi")
    expect(answers(page)).to_have_text("Hello there.")
    assert site.requests[-1]["model"] == "qwen"


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
    page.get_by_role("button", name="Copy message").last.click()
    wait_for_clipboard(page, lambda text: text == "Use <b>x</b> and $a$.")


def test_a_closed_tab_ends_the_generation(context: BrowserContext, site: FakeGateway) -> None:
    site.default = Reply("one two three", hold_after=2)
    page = context.new_page()
    page.goto(site.url())
    send(page, "Hi")
    expect(answers(page)).to_have_text("one two")
    page.close()
    site.wait_for(lambda g: g.running == 0)


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
