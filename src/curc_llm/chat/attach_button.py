"""The button that files are uploaded with, and the menu that stands for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ListFiles

from curc_llm.attachments.limits import DEFAULT_LIMITS


@dataclass(frozen=True)
class Sent:
    """One uploaded file.

    Args:
        path: where Gradio keeps it.
        name: what the person calls it.
    """

    path: Path
    name: str


def render_attach_menu(*, has_paths: bool) -> str:
    """Writes the menu.

    Args:
        has_paths: with the files of the cluster, which are read with the owner's rights: not for guests.
    """
    path = '<button type="button" data-curc-act="path">File on the cluster …</button>' if has_paths else ""
    return (
        f'<details class="curc-menu" data-curc-most-mib="{DEFAULT_LIMITS.max_upload_mib:g}">'
        '<summary aria-label="Attach files" title="Attach files">+</summary>'
        '<div class="curc-menu-items">'
        f'<button type="button" data-curc-act="upload">Upload files …</button>{path}</div></details>'
    )


def make_attach_button() -> gr.UploadButton:
    """A button whose handler is given a list of `Sent`.

    Gradio would give paths alone, in which signs are left out of names and long ones are cut.
    """
    button = gr.UploadButton("Upload", elem_id="curc-upload", file_count="multiple", type="filepath", scale=0)
    # A class of our own would do as well, but Gradio writes a stub beside the source of each.
    setattr(button, "preprocess", read_sent)  # noqa: B010 - a method, which type checkers keep as it is
    return button


def read_sent(payload: Any) -> list[Sent]:
    """What was uploaded, as the browser tells it.

    Args:
        payload: of Gradio: one file, several, or None.
    """
    files = payload.root if isinstance(payload, ListFiles) else [payload] if payload is not None else []
    return [
        Sent(Path(file.path), file.orig_name or Path(file.path).name)
        for file in files
        if isinstance(file, FileData)
    ]
