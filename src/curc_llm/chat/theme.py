"""The page's looks: a quiet theme of our own, light and dark as the system has it."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

# Fonts that every system has: nothing is fetched, and nothing jumps when a font arrives.
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")
# Gradio adds a prefix to each rule, and drops what a media query says of anything but its content.
FRAME = "frame.css"
STYLES = (
    "base.css",
    "sidebars.css",
    "shelf.css",
    "menus.css",
    "banner.css",
    "conversation.css",
    "folds.css",
    "answer.css",
    "empty.css",
    "composer.css",
    "settings.css",
    "told.css",
)
SCRIPTS = (
    "change.js",
    "names.js",
    "shell.js",
    "said.js",
    "commands.js",
    "menus.js",
    "lists.js",
    "rows.js",
    "follow.js",
    "links.js",
    "files.js",
    "paths.js",
    "edit.js",
    "code.js",
    "swap.js",
    "acts.js",  # before session.js, which asks whether a chat is there
    "session.js",
    "told.js",
    "copy.js",
    "mistakes.js",
    "keys.js",
    "connection.js",
)
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def make_theme() -> gr.themes.Base:
    """Builds the theme: slate greys, one blue, thin lines, no shadows."""
    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        secondary_hue=gr.themes.colors.slate,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=list(SANS),
        font_mono=list(MONO),
    )
    return theme.set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#14181f",
        body_text_color_subdued="#566273",
        body_text_color_subdued_dark="#9caabb",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#14181f",
        background_fill_secondary="#f6f8fa",
        background_fill_secondary_dark="#1b212a",
        border_color_primary="#dfe4ea",
        border_color_primary_dark="#2d3643",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1b212a",
        input_border_width="1px",
        input_border_color="#c9d1da",
        input_border_color_dark="#3a4656",
        button_primary_background_fill="#0369a1",
        button_primary_background_fill_hover="#075985",
        button_primary_text_color="#ffffff",
        button_primary_background_fill_dark="#0284c7",
        button_primary_background_fill_hover_dark="#0369a1",
        button_primary_text_color_dark="#ffffff",
    )


def read_style() -> str:
    """The style sheet that goes with the theme."""
    return "".join((Path(__file__).parent / "css" / name).read_text(encoding="utf-8") for name in STYLES)


def read_script() -> str:
    """The page's own scripts, as one; the first puts the rules into the page that Gradio would change."""
    folder = Path(__file__).parent
    frame = json.dumps((folder / "css" / FRAME).read_text(encoding="utf-8"))
    style = (
        f'document.head.append(Object.assign(document.createElement("style"), {{ textContent: {frame} }}));\n'
    )
    return style + "".join((folder / "js" / name).read_text(encoding="utf-8") for name in SCRIPTS)
