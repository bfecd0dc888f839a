"""All processes that belong to one engine, also those that lost their parent, found through /proc."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessFacts:
    """What /proc tells of one process (proc(5), stat): ids, and its start in clock ticks since boot."""

    pid: int
    parent: int
    session: int
    started: int
    name: str


class ProcessTree:
    """The processes of one engine.

    vLLM's workers outlive an API server that is killed, and then belong to whoever adopts them (vllm#55510).
    So every process counts that descends from the first one or shares its session, or did when last seen.

    Args:
        root: pid of the first process, which leads a session of its own.
    """

    def __init__(self, root: int) -> None:
        first = read_process(root)
        self._members = {root: first} if first else {}
        self._leaders = {root: first.started if first else 0}
        self._ever = {root}

    @property
    def ever(self) -> set[int]:
        """The pid of every process that ever belonged here, as far as was seen."""
        return set(self._ever)

    def look(self) -> list[ProcessFacts]:
        """The processes that live now; zombies are left out, for they hold nothing any more."""
        living = {facts.pid: facts for facts in list_processes()}
        known = {
            p for p, facts in self._members.items() if p in living and living[p].started == facts.started
        }
        # A number that was used anew leads a session of someone else.
        self._leaders = {p: s for p, s in self._leaders.items() if p not in living or living[p].started == s}
        ours = set(known)
        while grown := {p for p, f in living.items() if p not in ours and self._belongs(f, ours)}:
            ours |= grown
            # A daemon that started its own session is still ours, and so is all that it starts.
            self._leaders |= {p: living[p].started for p in grown if living[p].session == p}
        self._members = {pid: living[pid] for pid in ours}
        self._ever |= ours
        return list(self._members.values())

    def kill(self) -> None:
        """Sends KILL to all that live now."""
        for facts in self.look():
            try:
                os.kill(facts.pid, signal.SIGKILL)
            except OSError:
                continue  # it ended meanwhile

    def _belongs(self, facts: ProcessFacts, ours: set[int]) -> bool:
        return facts.parent in ours or facts.session in self._leaders


def list_processes() -> list[ProcessFacts]:
    """Every process of this machine that runs."""
    found = (read_process(int(entry.name)) for entry in os.scandir("/proc") if entry.name.isdigit())
    return [facts for facts in found if facts is not None]


def read_process(pid: int) -> ProcessFacts | None:
    """What /proc tells of one process; None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name stands in brackets and may hold any character, brackets too.
    name, fields = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    if fields[0] in {"Z", "X"}:
        return None
    return ProcessFacts(pid, int(fields[1]), int(fields[3]), int(fields[19]), name)
