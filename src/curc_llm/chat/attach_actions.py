"""What the page does with files that go with a question: uploaded, or read where they lie on the cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from curc_llm.attachments import Attachment, Uploads, complete_path, read_attachment, resolve_path
from curc_llm.attachments.content import refuse_images
from curc_llm.attachments.facts import MOST_ATTACHMENTS
from curc_llm.attachments.names import make_name
from curc_llm.chat.acts import render_acts
from curc_llm.chat.attach_button import Sent
from curc_llm.chat.chips import render_chips
from curc_llm.chat.commands import Command
from curc_llm.chat.desk import Desk
from curc_llm.chat.desks import Desks
from curc_llm.chat.guest_room import refuse_full
from curc_llm.chat.page_view import Update, render_desk_meter
from curc_llm.chat.telling import tell
from curc_llm.errors import CurcLlmError, SettingsError
from curc_llm.session.keys import OWNER

# What may stand in a path, besides ~; the environment has them where the centre sets them.
READ_S = 60.0
VARIABLES = ("HOME", "USER", "SCRATCH", "PROJECTS", "SLURM_SCRATCH")


class AttachActions:
    """The handlers of the composer's files. Paths are read with the owner's rights, so only for the owner.

    Args:
        desks: what each page works on.
        uploads: where uploaded files lie until they are read.
    """

    def __init__(self, desks: Desks, uploads: Uploads) -> None:
        self._desks = desks
        self._uploads = uploads
        self.commands = {"detach": self._detach, "attach": self._attach, "complete": self._complete}

    async def upload(self, request: gr.Request, files: Sequence[Sent]) -> Update:
        """Attaches what a person uploaded; each file that can't be read is told, the others are attached."""
        desk = self._desks.find(request)
        for file in files:
            try:
                async with asyncio.timeout(READ_S):
                    self._add(desk, await asyncio.to_thread(self._take, desk, file))
            except CurcLlmError as error:
                tell(str(error), "Not attached")
            except TimeoutError:
                tell(f"{make_name(file.name)} can't be read within {READ_S:.0f} s.", "Not attached")
        return show_attached(desk)

    def _take(self, desk: Desk, file: Sent) -> Attachment:
        refuse_full(self._desks.state_dir, desk.user)
        upload = self._uploads.take(file.path, file.name)
        try:
            return read_attachment(upload.path, upload.name)
        finally:
            self._uploads.discard(upload)

    def _attach(self, desk: Desk, command: Command) -> Update:
        """Attaches a file by its path. What is wrong with it is said in the dialog, which stays open."""
        try:
            path = resolve_path(command.value, Path.home(), _find_variables(desk))
            self._add(desk, read_attachment(path))
        except CurcLlmError as error:
            return {"acts": _render_outcome(command.value, str(error))}
        return {**show_attached(desk), "acts": _render_outcome(command.value)}

    def _detach(self, desk: Desk, command: Command) -> Update:
        desk.attached = [one for one in desk.attached if one.key != command.value]
        return show_attached(desk)

    def _complete(self, desk: Desk, command: Command) -> Update:
        found = complete_path(command.value, Path.home(), variables=_find_variables(desk))
        items = [[one.text, one.name + ("/" if one.is_folder else ""), one.size] for one in found.found]
        return {
            "acts": render_acts(
                {"act": "paths", "for": command.value, "items": items, "reason": found.reason}
            )
        }

    @staticmethod
    def _add(desk: Desk, attachment: Attachment) -> None:
        if len(desk.attached) >= MOST_ATTACHMENTS:
            raise SettingsError(
                f"{MOST_ATTACHMENTS} files are attached; more don't go with one message.", "Send these first."
            )
        if attachment.is_image and desk.takes_images is False:
            raise refuse_images([attachment], remedy=name_way_on(desk.models_with_eyes))
        desk.attached = [*desk.attached, attachment]


def _render_outcome(path: str, refusal: str = "") -> str:
    """Tells the dialog what came of a path."""
    return render_acts({"act": "path", "for": path, "refusal": refusal})


def show_attached(desk: Desk) -> Update:
    """The chips and the meter."""
    return {"chips": render_chips(desk.attached, ratio=desk.ratio), "meter": render_desk_meter(desk)}


def name_way_on(models_with_eyes: Sequence[str]) -> str:
    """What to do when an image isn't attached.

    Args:
        models_with_eyes: names of served models that take images.

    Example:
        >>> name_way_on(["qwen-vl"])
        'Choose qwen-vl in the settings, then attach it again.'
    """
    if not models_with_eyes:
        return "Attach its text or its data instead."
    return f"Choose {' or '.join(models_with_eyes[:3])} in the settings, then attach it again."


def _find_variables(desk: Desk) -> dict[str, str]:
    if desk.user != OWNER:
        raise SettingsError(
            "Files of the cluster can be attached by the session's owner alone.", "Upload the file instead."
        )
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}
