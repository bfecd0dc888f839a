"""The command line of the chat process."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ChatOptions:
    """What the chat process is told. No secret is among it.

    Args:
        socket: unix socket to answer on.
        gateway_socket: the gateway's private unix socket.
        state_dir: the user's state folder; conversations will be kept there.
        examples: YAML file with the bundled model's questions, or None.
        title: what the browser's tab says; empty for the model's name.
        hf_home: Hugging Face's folder of this session, where models' files are looked at.
    """

    socket: Path
    gateway_socket: Path
    state_dir: Path
    examples: Path | None = None
    title: str = ""
    hf_home: Path | None = None


def parse_options(arguments: Sequence[str]) -> ChatOptions:
    """Reads the command line; a wrong one ends the process with a usage text, as argparse does.

    Example:
        >>> parse_options(["--socket", "c", "--gateway-socket", "g", "--state-dir", "s"]).title
        ''
    """
    parser = argparse.ArgumentParser(
        prog="python -m curc_llm.chat", description="The chat page of a session."
    )
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to answer on")
    parser.add_argument(
        "--gateway-socket", type=Path, required=True, help="the gateway's private unix socket"
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="the user's state folder")
    parser.add_argument("--examples", type=Path, help="YAML file with example questions of the bundled model")
    parser.add_argument("--title", default="", help="title of the page; default: the model's name")
    parser.add_argument("--hf-home", type=Path, help="Hugging Face's folder, where models' files are")
    return ChatOptions(**vars(parser.parse_args(arguments)))
