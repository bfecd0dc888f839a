"""A person's library of system prompts: named, kept beside the chats, found again in every session.

`<state_dir>/prompts.jsonl` has one line for each change and is only ever added to, by the rules of `lines`
(another host adds to `prompts~HOST.jsonl`), so that two tabs and two sessions on NFS can't corrupt it:
`{"id", "name", "text", "at"}` saves a prompt under an id, again with the same id to rename or change it;
`{"id", "deleted", "at"}` deletes it, or brings it back. The latest line of an id counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from curc_llm.chats.chat import make_title
from curc_llm.chats.errors import ChatFileError, ChatNotFoundError
from curc_llm.chats.files import add_to_file, read_file
from curc_llm.chats.hosts import find_host
from curc_llm.chats.lines import Line, join, parse_lines
from curc_llm.chats.message import make_id, parse_text, parse_time
from curc_llm.chats.names import MARK, SUFFIX, list_files
from curc_llm.chats.writer import find_file_host
from curc_llm.errors import CurcLlmError
from curc_llm.factfile import read_yaml

FILE = "prompts.jsonl"
BUILT_IN = Path(__file__).parents[1] / "data" / "prompts.yml"
MOST_CHARS = 100_000
MOST_PROMPTS = 500
MOST_BYTES = 16 * 2**20
LIST_THEM = "Look which there are."


class PromptLibraryError(CurcLlmError):
    """A prompt can't be saved, or there is none of that name."""


@dataclass(frozen=True)
class Prompt:
    """A system prompt with a name.

    Args:
        prompt_id: tells it from the others.
        name: one line.
        text: what the model is told.
        at: when it was last changed, in Unix seconds; 0 for built-in ones.
        is_deleted: whether it is kept only to be brought back.
        is_built_in: whether everybody has it; such a one can't be changed, only copied.
    """

    prompt_id: str
    name: str
    text: str
    at: float = 0.0
    is_deleted: bool = False
    is_built_in: bool = False

    def to_json(self) -> dict[str, Any]:
        """For pages and `--json`."""
        return dict(vars(self))


class PromptLibrary:
    """The prompts of one person. Cheap to make; many may be used at once, in any process, on any host.

    Args:
        state_dir: the person's state folder.
        host: whose processes may share a file; see `lines`. For tests.

    Example:
        >>> library = PromptLibrary(settings.state_dir)                       # doctest: +SKIP
        >>> library.save("Brief", "Answer in one sentence.").name             # doctest: +SKIP
        'Brief'
    """

    def __init__(self, state_dir: Path, host: str = "") -> None:
        self._main = state_dir / FILE
        self._host = host or find_host()

    def list(self, *, deleted: bool = False) -> Sequence[Prompt]:
        """The person's prompts by name, then the built-in ones that none of these replaces.

        Args:
            deleted: those that were deleted instead, the last one deleted first.

        Raises:
            PromptLibraryError: the files can't be read.
        """
        own = self._read().values()
        if deleted:
            return sorted((one for one in own if one.is_deleted), key=lambda one: -one.at)
        kept = sorted((one for one in own if not one.is_deleted), key=lambda one: one.name.casefold())
        names = {_fold(one.name) for one in kept}
        return [*kept, *(one for one in load_built_in() if _fold(one.name) not in names)]

    def find(self, name: str) -> Prompt:
        """The prompt of a name or an id, in any case.

        Raises:
            PromptLibraryError: there is none.
        """
        for one in self.list():
            if name == one.prompt_id or _fold(name) == _fold(one.name):
                return one
        raise PromptLibraryError(
            f"There is no prompt {make_title(name)!r}.", "List them: curc-llm prompts ls"
        )

    def save(self, name: str, text: str, *, replaces: bool = False) -> Prompt:
        """Keeps a prompt.

        Args:
            name: one line; a built-in one's may be used, and then stands in its place.
            text: what the model is told.
            replaces: take the place of the person's own prompt of that name; otherwise that is refused.

        Raises:
            PromptLibraryError: name or text can't be, the name is taken, or it can't be written.
        """
        title, clean = check_name(name), check_text(text)
        own = [one for one in self._read().values() if not one.is_deleted]
        same = next((one for one in own if _fold(one.name) == _fold(title)), None)
        if same is not None and not replaces:
            raise PromptLibraryError(
                f"There is a prompt {title!r} already.", "Replace it, or give another name."
            )
        if same is None and len(own) >= MOST_PROMPTS:
            raise PromptLibraryError(
                f"The library holds {MOST_PROMPTS} prompts already.", "Delete some first."
            )
        made = Prompt(same.prompt_id if same else make_id(), title, clean, round(time.time(), 3))
        self._add({"id": made.prompt_id, "name": made.name, "text": made.text, "at": made.at})
        return made

    def rename(self, prompt_id: str, name: str) -> Prompt:
        """Gives a prompt of the person's another name.

        Raises:
            PromptLibraryError: it isn't there, the name is taken, or it can't be written.
        """
        own, title = self._find_own(prompt_id), check_name(name)
        taken = [one for one in self.list() if _fold(one.name) == _fold(title) and not one.is_built_in]
        if any(one.prompt_id != prompt_id for one in taken):
            raise _explain_taken(title, "Give another name.")
        renamed = replace(own, name=title, at=round(time.time(), 3))
        self._add({"id": prompt_id, "name": title, "at": renamed.at})
        return renamed

    def delete(self, prompt_id: str) -> Prompt:
        """Deletes a prompt of the person's; `restore` brings it back.

        Raises:
            PromptLibraryError: it isn't there, or is built in.
        """
        return self._set_deleted(self._find_own(prompt_id), is_deleted=True)

    def restore(self, prompt_id: str) -> Prompt:
        """Brings a deleted prompt back.

        Raises:
            PromptLibraryError: it isn't there, or its name is taken meanwhile.
        """
        own = self._find_own(prompt_id)
        if any(_fold(one.name) == _fold(own.name) and one.prompt_id != prompt_id for one in self._kept()):
            raise PromptLibraryError(f"There is another prompt {own.name!r} now.", "Rename that one first.")
        return self._set_deleted(own, is_deleted=False)

    def _kept(self) -> Sequence[Prompt]:
        return [one for one in self._read().values() if not one.is_deleted]

    def _set_deleted(self, own: Prompt, *, is_deleted: bool) -> Prompt:
        changed = replace(own, is_deleted=is_deleted, at=round(time.time(), 3))
        self._add({"id": own.prompt_id, "deleted": is_deleted, "at": changed.at})
        return changed

    def _find_own(self, prompt_id: str) -> Prompt:
        own = self._read().get(prompt_id)
        if own is None:
            known = {one.prompt_id: one for one in load_built_in()}
            built_in = known.get(prompt_id)
            if built_in is not None:
                raise PromptLibraryError(
                    f"{built_in.name!r} is built in, so it stays as it is.", "Save your own under its name."
                )
            raise PromptLibraryError("That prompt isn't there any more.", LIST_THEM)
        return own

    def _read(self) -> dict[str, Prompt]:
        lines: list[Line] = []
        for path in list_files(self._main):
            try:
                lines += parse_lines(read_file(path)).values if path.suffix == SUFFIX else []
            except ChatNotFoundError:
                continue
            except ChatFileError as error:
                raise PromptLibraryError(error.message, "Look at that file.") from error
        prompts: dict[str, Prompt] = {}
        for line in sorted(lines, key=lambda line: parse_time(line.get("at"))):
            _take(prompts, line)
        return prompts

    def _add(self, line: Line) -> None:
        own = self._main.with_name(f"{self._main.stem}{MARK}{self._host}{SUFFIX}")
        try:
            for path in (self._main, own):
                if self._add_to(path, line):
                    return
        except ChatFileError as error:
            why = error.message.replace("The chat can't be kept", "The prompt can't be saved")
            raise PromptLibraryError(why, "Make room, then save it again.") from error

    def _add_to(self, path: Path, line: Line) -> bool:
        """Adds to a file that this host's processes share, made when it isn't there; False: another's."""
        head = {"prompts": 1, "host": self._host, "created_at": line["at"]}
        try:
            add_to_file(path, join([head, line]), is_new=True, is_synced=True)
        except FileExistsError:
            if find_file_host(path) != self._host:
                return False
            _check_size(path)
            add_to_file(path, join([line]), is_synced=True)
        return True


@cache
def load_built_in() -> Sequence[Prompt]:
    """The prompts that everybody has, in the order of their file.

    Raises:
        FactFileError: the file was damaged.
    """
    entries = read_yaml(BUILT_IN, "prompt library")[1]["prompts"]
    return tuple(
        Prompt(f"built-in-{number}", entry["name"], entry["text"], is_built_in=True)
        for number, entry in enumerate(entries, 1)
    )


def check_name(name: str) -> str:
    """A name on one line.

    Raises:
        PromptLibraryError: it is empty.
    """
    title = make_title(name)
    if not title:
        raise PromptLibraryError("A prompt needs a name.", "Give it one, such as Reviewer.")
    return title


def check_text(text: str) -> str:
    """A prompt's text.

    Raises:
        PromptLibraryError: it is empty or too long.
    """
    if not text.strip():
        raise PromptLibraryError("The prompt is empty.", "Write what the model should be told.")
    if len(text) > MOST_CHARS:
        raise PromptLibraryError(
            f"The prompt has {len(text):,} characters; up to {MOST_CHARS:,} can be.", "Shorten it."
        )
    return text.encode("utf-8", "replace").decode("utf-8")


def _take(prompts: dict[str, Prompt], line: Line) -> None:
    prompt_id, at = line.get("id"), parse_time(line.get("at"))
    if not isinstance(prompt_id, str) or not 0 < len(prompt_id) <= 100:
        return
    known = prompts.get(prompt_id)
    if isinstance(line.get("deleted"), bool):
        if known is not None:
            prompts[prompt_id] = replace(known, is_deleted=line["deleted"], at=at)
        return
    name = make_title(parse_text(line.get("name")))
    text = parse_text(line.get("text"))[:MOST_CHARS] or (known.text if known else "")
    if name and text:
        prompts[prompt_id] = Prompt(prompt_id, name, text, at, known.is_deleted if known else False)


def _check_size(path: Path) -> None:
    if path.stat().st_size > MOST_BYTES:
        raise ChatFileError(f"The prompt can't be saved: {path} has more than {MOST_BYTES // 2**20} MiB.")


def _explain_taken(title: str, remedy: str) -> PromptLibraryError:
    return PromptLibraryError(f"There is a prompt {title!r} already.", remedy)


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()
