"""Two sessions on two nodes write the same folder of chats, and the folder is on NFS.

What NFS takes away: there is no append. A client finds a file's end when it opens the file and writes there,
whoever else did so meanwhile (nfs(5); open(2), O_APPEND: "may lead to corrupted files on NFS filesystems if
more than one process appends data to a file at once ... the client kernel has to simulate it"). And locks
may not be there at all (ENOLCK without a lock manager). So nothing here may need either: a host adds to files
of its own alone (`chats/hosts`), and what is replaced is replaced by a rename, which the server does at once.

No NFS is mounted for this; `NFS` makes `os.open` and the locks behave so in two real processes. What is seen
late by another client (attributes are cached for 3 to 60 s, acregmin and acregmax of nfs(5)) isn't shown: it
delays what is listed, and loses nothing.
"""

from __future__ import annotations

import pytest

from curc_llm.chats import ChatStore, ChatWriter
from curc_llm.chats.index import MOST_STALE, read_index
from tests.chats.conftest import Start

NFS = """
import errno, fcntl, os, stat, time
real_open, real_write = os.open, os.write
def open_at_the_end_of_now(path, flags, mode=0o777, **more):
    descriptor = real_open(path, flags & ~os.O_APPEND, mode, **more)
    if flags & os.O_APPEND:
        os.lseek(descriptor, 0, os.SEEK_END)
    return descriptor
def write_late(descriptor, data):
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        time.sleep(0.002)
    return real_write(descriptor, data)
def refuse(*_):
    raise OSError(errno.ENOLCK, "No locks available")
os.open, os.write = open_at_the_end_of_now, write_late
fcntl.flock = fcntl.lockf = refuse
"""
BUSY = """
import sys
from pathlib import Path
from curc_llm.chats import ChatStore
folder, chat_id, host, rounds, num_chats = sys.argv[1:]
store = ChatStore(Path(folder), host)
writer = store.write(chat_id)
mine = set()
print("ready", flush=True)
sys.stdin.readline()
for round in range(int(rounds)):
    for number in range(int(num_chats)):
        other = store.create()
        other.append_question(f"{host} {round} {number}")
        mine.add(other.chat.chat_id)
    question = writer.append_question(f"{host} asks {round} " + "x" * 5000)
    with writer.begin_answer(question.message_id) as answer:
        answer.add(f"{host} is told {round}")
        answer.end()
    writer.set(pinned=bool(round % 2))
    assert writer.trouble is None, writer.trouble
    # Enough is new, so the index is written, too, while the other host does the same.
    assert mine <= {one.chat_id for one in store.list()}, round
"""
SHARED_FILE = """
import sys
first, second = (os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND) for _ in range(2))
os.write(first, b"one\\n")
os.write(second, b"two\\n")
"""
ROUNDS = 4


def test_the_stand_in_takes_away_what_nfs_doesnt_have(store: ChatStore, start: Start) -> None:
    """Two hosts that share a file lose a line: where the other test passes, none is shared."""
    path = store.folder.parent / "shared"
    path.write_text("head\n")
    assert start(NFS + SHARED_FILE, path).wait(20) == 0
    assert path.read_text() == "head\ntwo\n"


@pytest.mark.slow
def test_two_sessions_append_and_index_at_once_and_nothing_is_lost(
    store: ChatStore, writer: ChatWriter, start: Start
) -> None:
    chat_id, hosts = writer.chat.chat_id, ("node1", "node2")
    running = [start(NFS + BUSY, store.folder, chat_id, host, ROUNDS, MOST_STALE + 1) for host in hosts]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in running] == [0, 0]

    chat = ChatStore(store.folder).open(chat_id)
    assert chat.num_skipped == 0
    said = {message.content.split(" x")[0] for message in chat.messages.values()}
    assert {
        f"{host} {verb} {n}" for host in hosts for verb in ("asks", "is told") for n in range(ROUNDS)
    } <= said
    assert len(chat.messages) == 2 + 2 * ROUNDS * len(hosts)
    listed = ChatStore(store.folder).list()
    assert len(listed) == 1 + len(hosts) * ROUNDS * (MOST_STALE + 1)
    assert len({one.title for one in listed}) == len(listed)
    # Whoever wrote the index last, each of its entries is right or not believed.
    kept = read_index(store.folder)
    assert kept
    assert set(kept) <= {one.chat_id for one in listed}
