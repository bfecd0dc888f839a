"""The personal library of system prompts: saved on the page, taken in another chat, the same in a shell."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from playwright.sync_api import Locator, Page, expect

from curc_llm.cli.main import cli
from tests.chat.conversation import ask_and_see, open_tab
from tests.fakes.chat_process import ChatProcess
from tests.fakes.fake_gateway import FakeGateway

pytestmark = pytest.mark.browser
NAME = "Pirate <b>1</b>"
TEXT = "Answer as a pirate.\n\n<i>Always.</i>"


def prompts_in_shell(chat: ChatProcess, *words: str) -> str:
    """What `curc-llm prompts …` prints."""
    environment = {"CURC_LLM_STATE_DIR": str(chat.gateway.folder)}
    done = CliRunner().invoke(cli, ["prompts", *words], env=environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def named(page: Page, name: str) -> Locator:
    """A prompt of the library."""
    return page.locator("#curc-prompts").get_by_role("button", name=name, exact=True)


def open_library(page: Page) -> None:
    """Opens the library, if it isn't."""
    if page.locator(".curc-prompts[open]").count() == 0:
        page.locator(".curc-prompts summary").click()


def test_a_prompt_is_saved_taken_in_another_chat_found_in_a_shell_and_deleted_with_undo(
    page: Page, site: FakeGateway, chat: ChatProcess
) -> None:
    for file in chat.gateway.folder.glob("prompts*"):
        file.unlink()
    open_tab(page, "Settings")
    system = page.get_by_label("System prompt", exact=True)
    system.fill(TEXT)
    open_library(page)
    page.get_by_role("button", name="Save this system prompt").click()
    name = page.get_by_role("textbox", name="Name of this prompt")
    name.fill(NAME)
    name.press("Enter")  # which mustn't press the button that the focus goes back to as well
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(named(page, NAME)).to_be_visible()
    assert NAME in prompts_in_shell(chat, "ls")
    assert prompts_in_shell(chat, "show", NAME).rstrip("\n") == TEXT

    page.get_by_role("button", name="New chat").click()
    expect(system).to_have_value("")
    open_library(page)
    named(page, NAME).click()
    expect(system).to_have_value(TEXT)
    ask_and_see(page, "Hi")
    assert site.requests[-1]["messages"][0] == {"role": "system", "content": TEXT}

    open_library(page)
    named(page, f"Delete {NAME}").click()
    expect(named(page, NAME)).to_have_count(0)
    assert NAME not in prompts_in_shell(chat, "ls")
    page.locator("#curc-prompts").get_by_role("button", name="Undo").click()
    expect(named(page, NAME)).to_be_visible()
    # A prompt that was added in a shell is there when the page is opened.
    prompts_in_shell(chat, "rm", NAME)
    prompts_in_shell(chat, "add", "From a shell", "Be brief.")
    page.reload()
    open_tab(page, "Settings")
    open_library(page)
    expect(named(page, "From a shell")).to_be_visible()
    expect(named(page, NAME)).to_have_count(0)
