"""All saved chats of one person: list, search, open, change, delete and undo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curc_llm.chats.chat import Chat, make_title
from curc_llm.chats.errors import ChatFileError, ChatNotFoundError
from curc_llm.chats.files import read_file
from curc_llm.chats.hosts import find_host
from curc_llm.chats.index import MOST_STALE, Entry, make_stamps, read_index, write_index
from curc_llm.chats.names import SUFFIX, Folder, Stamp, check_chat_id, make_chat_id, scan
from curc_llm.chats.query import Query
from curc_llm.chats.reading import read_chat
from curc_llm.chats.search import MOST_HITS, SLICE, Found, search_files
from curc_llm.chats.summary import ChatSummary, summarise
from curc_llm.chats.writer import ChatWriter

FOLDER = "chats"
# Reading thousands of small files waits for the disk or the server most of the time, once for each.
THREADS = 4


class ChatStore:
    """The chats of a folder. Cheap to make; many may be used at once, in any process, on any host.

    Args:
        folder: usually `<state_dir>/chats`; made when the first chat is written.
        host: whose processes may share a file; see `lines`. For tests.

    Example:
        >>> store = ChatStore(settings.state_dir / "chats")                   # doctest: +SKIP
        >>> [summary.title for summary in store.list()]                       # doctest: +SKIP
        ['What is an SU?', 'Fit a Weibull distribution']
        >>> store.search("weibull shape").hits[0].snippet                     # doctest: +SKIP
        '… the shape parameter of a Weibull …'
    """

    def __init__(self, folder: Path, host: str = "") -> None:
        self.folder = folder
        self._host = host or find_host()
        self._entries: dict[str, Entry] | None = None
        self.strange: Sequence[str] = ()

    @property
    def note(self) -> str:
        """What the last look found besides chats, in a sentence; empty when nothing."""
        names = [make_title(name) for name in self.strange]
        if not names:
            return ""
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        return f"Left out, for they are no chats of yours: {', '.join(names[:3])}{more}."

    def list(self, *, deleted: bool = False) -> Sequence[ChatSummary]:
        """The chats, pinned ones first, then the latest first.

        Args:
            deleted: those that were deleted instead, the last one deleted first.

        Raises:
            ChatFileError: the folder can't be read.
        """
        found = self._look()
        if deleted:
            gone = [one for one in found if one.deleted_at is not None]
            return sorted(gone, key=lambda one: -(one.deleted_at or 0.0))
        kept = [one for one in found if one.deleted_at is None]
        return sorted(kept, key=lambda one: (not one.is_pinned, -one.updated_at))

    def search(self, text: str, limit: int = MOST_HITS) -> Found:
        """Looks through the text of all chats, their titles and the models' reasoning, in any branch.

        Args:
            text: words that must all be there, in any case; `"several words"` in quotes stand together.
            limit: most hits to return, the latest first; all are counted.

        Raises:
            ChatFileError: the folder can't be read.
        """
        query = Query.parse(text)
        if not query.words:
            return Found((), 0)
        latest = sorted(self._look(), key=lambda one: -one.updated_at)
        files = [(one, self._names(one.chat_id)) for one in latest if one.deleted_at is None]
        return search_files(self.folder, files, query, limit, THREADS)

    def open(self, chat_id: str) -> Chat:
        """A chat as it stands; deleted ones too.

        Raises:
            ChatNotFoundError: there is none of that id.
            ChatFileError: it can't be read.
        """
        try:
            return read_chat(self.find_file(chat_id))
        except ChatNotFoundError:
            raise ChatNotFoundError(
                f"There is no saved chat {chat_id!r}.", "List them: curc-llm chats ls"
            ) from None

    def write(self, chat_id: str) -> ChatWriter:
        """Opens a chat to go on with it.

        Raises:
            ChatNotFoundError: there is none of that id.
            ChatFileError: it can't be read.
        """
        return ChatWriter(self.open(chat_id), self.find_file(chat_id), self._host)

    def create(self, **settings: Any) -> ChatWriter:
        """A new chat. It is on disk once it has a message.

        Args:
            settings: `title`, `system` and what else holds for the chat.
        """
        chat_id = make_chat_id()
        writer = ChatWriter(Chat(chat_id), self.find_file(chat_id), self._host)
        if settings:
            writer.plan(**settings)
        return writer

    def rename(self, chat_id: str, title: str) -> None:
        """Gives a chat another title.

        Raises:
            ChatFileError: it isn't there, or can't be written.
        """
        self._set(chat_id, title=make_title(title) or None)

    def pin(self, chat_id: str, *, is_pinned: bool = True) -> None:
        """Puts a chat before the others, or back among them; what is pinned is never purged.

        Raises:
            ChatFileError: it isn't there, or can't be written.
        """
        self._set(chat_id, pinned=is_pinned or None)

    def delete(self, chat_id: str) -> None:
        """Takes a chat out of the list. It stays on disk until it is purged, and `restore` brings it back.

        Raises:
            ChatFileError: it isn't there, or can't be written.
        """
        # Not before its last message, though another host's clock may go ahead.
        self._set(chat_id, deleted_at=max(round(time.time(), 3), self.open(chat_id).updated_at))

    def restore(self, chat_id: str) -> None:
        """Undoes `delete`.

        Raises:
            ChatFileError: it was purged, or can't be written.
        """
        self._set(chat_id, deleted_at=None)

    def find_file(self, chat_id: str) -> Path:
        """A chat's main file.

        Raises:
            ChatNotFoundError: the id can't be one.
        """
        return self.folder / f"{check_chat_id(chat_id)}{SUFFIX}"

    def look_for(self, beginning: str) -> str:
        """The id that begins like this, for those who type.

        Raises:
            ChatNotFoundError: none does, or several do.
        """
        chats = scan(self.folder).chats
        fits = [beginning] if beginning in chats else [name for name in chats if name.startswith(beginning)]
        if len(fits) == 1 and beginning:
            return fits[0]
        found = f"{len(fits)} chats begin with" if fits else "There is no saved chat"
        raise ChatNotFoundError(f"{found} {beginning[:100]!r}.", "List them: curc-llm chats ls")

    def _set(self, chat_id: str, **values: Any) -> None:
        writer = self.write(chat_id)
        writer.set(**values)
        if writer.trouble is not None:
            raise ChatFileError(writer.trouble.message, "Make room, or see who may write there.")

    def _names(self, chat_id: str) -> Sequence[str]:
        entry = (self._entries or {}).get(chat_id)
        return [name for name, _, _ in entry[0]] if entry else []

    def _look(self) -> Sequence[ChatSummary]:
        folder = scan(self.folder)
        if self._entries is None:
            self._entries = read_index(self.folder)
        known = self._entries
        stale: list[tuple[str, list[Stamp]]] = []
        entries: dict[str, Entry] = {}
        for chat_id, files in folder.chats.items():
            entry = known.get(chat_id)
            if entry is not None and entry[0] == make_stamps(files):
                entries[chat_id] = entry
            else:
                stale.append((chat_id, files))
        entries.update(self._read(stale))
        if len(stale) > MOST_STALE or len(known) - len(entries) > MOST_STALE:
            write_index(self.folder, entries)
        self._entries = entries
        self.strange = _list_strange(folder, entries)
        return [summary for _, summary in entries.values() if summary is not None]

    def _read(self, stale: Sequence[tuple[str, Sequence[Stamp]]]) -> dict[str, Entry]:
        if len(stale) <= THREADS:
            return dict(map(self._read_one, stale))
        slices = [stale[i : i + SLICE] for i in range(0, len(stale), SLICE)]
        with ThreadPoolExecutor(THREADS) as pool:
            read = pool.map(lambda some: [self._read_one(one) for one in some], slices)
            return {chat_id: entry for some in read for chat_id, entry in some}

    def _read_one(self, one: tuple[str, Sequence[Stamp]]) -> tuple[str, Entry]:
        chat_id, files = one
        contents = []
        for name in sorted(file.name for file in files):
            try:
                contents.append((name, read_file(f"{self.folder}/{name}")))
            except ChatFileError:
                continue
        changed_at = round(max(file.mtime_ns for file in files) / 1e9, 3)
        return chat_id, (make_stamps(files), summarise(chat_id, contents, changed_at) if contents else None)


def _list_strange(folder: Folder, entries: dict[str, Entry]) -> list[str]:
    # An empty file is one that is being made, or that a full disk left.
    odd = [
        chat_id + SUFFIX
        for chat_id, (stamps, one) in entries.items()
        if one is None and any(s[1] for s in stamps)
    ]
    return sorted(folder.strange + odd)
