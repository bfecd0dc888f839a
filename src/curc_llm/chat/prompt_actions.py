"""The personal library of system prompts: take one, save what stands in the field, delete with undo."""

from __future__ import annotations

from collections.abc import Sequence

from curc_llm.chat.commands import Command
from curc_llm.chat.desk import Desk
from curc_llm.chat.escaping import escape_line
from curc_llm.chat.page_view import Update
from curc_llm.chats.prompts import Prompt, PromptLibrary


class PromptActions:
    """The handlers of the library; it lies beside the person's chats."""

    def __init__(self) -> None:
        self.commands = {
            "prompt-use": self._use,
            "prompt-save": self._save,
            "prompt-delete": self._delete,
            "prompt-restore": self._restore,
        }

    @staticmethod
    def _use(desk: Desk, command: Command) -> Update:
        return {"system_prompt": find_library(desk).find(command.value).text}

    @staticmethod
    def _save(desk: Desk, command: Command) -> Update:
        # The person chose the name in a dialog that says what happens to an old one.
        find_library(desk).save(command.text, command.value, replaces=True)
        return {"prompts": render_library(desk, is_open=True)}

    @staticmethod
    def _delete(desk: Desk, command: Command) -> Update:
        gone = find_library(desk).delete(command.value)
        return {"prompts": render_library(desk, gone, is_open=True)}

    @staticmethod
    def _restore(desk: Desk, command: Command) -> Update:
        find_library(desk).restore(command.value)
        return {"prompts": render_library(desk, is_open=True)}


def find_library(desk: Desk) -> PromptLibrary:
    """A person's library."""
    return PromptLibrary(desk.store.folder.parent)


def render_library(desk: Desk, gone: Prompt | None = None, *, is_open: bool = False) -> str:
    """Writes the library.

    Args:
        desk: of the page.
        gone: a prompt that was just deleted.
        is_open: unfolded, for a person who has just changed something in it.
    """
    undo = (
        f'<p class="curc-undo" role="status">Deleted “{escape_line(gone.name)}”. '
        '<button type="button" class="curc-link" data-curc-do="prompt-restore" '
        f'data-curc-value="{escape_line(gone.prompt_id)}">Undo</button></p>'
        if gone is not None
        else ""
    )
    return (
        f'<details class="curc-prompts"{" open" if is_open else ""}><summary>Prompt library</summary>'
        f"{undo}{_render_items(find_library(desk).list())}"
        '<button type="button" class="curc-link" data-curc-act="save-prompt">'
        "Save this system prompt …</button></details>"
    )


def _render_items(prompts: Sequence[Prompt]) -> str:
    return f'<ul class="curc-list">{"".join(map(_render_item, prompts))}</ul>'


def _render_item(prompt: Prompt) -> str:
    name, value = escape_line(prompt.name), escape_line(prompt.prompt_id)
    remove = (
        f'<button type="button" class="curc-chip-remove" data-curc-do="prompt-delete" '
        f'data-curc-value="{value}" aria-label="Delete {name}" title="Delete">'
        '<span aria-hidden="true">×</span></button>'
    )
    return (
        '<li class="curc-item"><button type="button" class="curc-open" data-curc-do="prompt-use" '
        f'data-curc-value="{value}" title="{escape_line(prompt.text[:300])}">{name}</button>'
        f"{'' if prompt.is_built_in else remove}</li>"
    )
