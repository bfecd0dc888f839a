"""The log of an engine over several nodes: whose line is whose, and which node failed first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curc_llm.engine.diagnosis import diagnose
from curc_llm.engine.host_memory import HostMemory
from curc_llm.session.record import Trouble

# srun --label: the task's number, as wide as the largest one, a colon and a space.
LABEL = re.compile(r"^ *(\d+): ")
END = re.compile(
    r"curc-llm: rank (?P<place>\d+) on (?P<node>\S+) ended with (?P<status>-?\d+)"
    r"(?P<told>, as it was told)? at (?P<at>[\d.]+)"
)
# srun's own word on a task that could not say how it ended.
LOST = re.compile(r"srun: error: (?P<node>[\w.-]+): tasks? (?P<place>\d+)\S*: (?P<how>.+)")
# The exit status of a rank that could not even start vLLM, and has said why.
EXIT_TROUBLE = 3
WORKER = re.compile(r"Worker[_\w]*?_?TP(\d+)")


@dataclass(frozen=True)
class RankEnd:
    """How one node's part of an engine ended.

    Args:
        place: of the node in the job, from 0.
        node: its name.
        status: exit status, negative for a signal.
        was_told: whether it was told to end, so that something else failed before.
        at: Unix time in seconds.
    """

    place: int
    node: str
    status: int
    was_told: bool
    at: float

    def render(self) -> str:
        """The line that says so in the log.

        Example:
            >>> RankEnd(1, "n2", -9, False, 5.0).render()
            'curc-llm: rank 1 on n2 ended with -9 at 5.000'
        """
        told = ", as it was told" if self.was_told else ""
        return f"curc-llm: rank {self.place} on {self.node} ended with {self.status}{told} at {self.at:.3f}"


def parse_ends(log_tail: str) -> list[RankEnd]:
    """How the parts ended, in the order in which they did.

    Example:
        >>> parse_ends("1: curc-llm: rank 1 on n2 ended with -9 at 5.000")[0].node
        'n2'
    """
    ends = [
        RankEnd(int(m["place"]), m["node"], int(m["status"]), m["told"] is not None, float(m["at"]))
        for m in END.finditer(log_tail)
    ]
    return sorted(ends, key=lambda end: end.at)


def lines_of(log_tail: str, place: int) -> str:
    r"""What one node wrote, without the label.

    Example:
        >>> lines_of("0: a\n1: b\n0: c", 0)
        'a\nc'
    """
    own = [
        line[found.end() :]
        for line in log_tail.splitlines()
        if (found := LABEL.match(line)) and int(found[1]) == place and not END.search(line)
    ]
    return "\n".join(own)


def diagnose_ranks(
    log_tail: str, exit_code: int | None, memory: HostMemory | None = None, *, nodes: Sequence[str] = ()
) -> Trouble:
    """The cause of a failure over several nodes: the first node's that failed of itself, and its name.

    Args:
        log_tail: the end of the engine's log, each line with its node's label.
        exit_code: of srun.
        memory: of the first node.
        nodes: the job's, in order.

    Example:
        >>> diagnose_ranks("1: curc-llm: rank 1 on n2 ended with -9 at 5.0", 1).message.split(":")[0]
        'On n2'
    """
    ends = parse_ends(log_tail)
    first = next((end for end in ends if not end.was_told), None)
    if first is None:
        return _diagnose_lost(log_tail, exit_code, nodes)
    own = lines_of(log_tail, first.place)
    if first.status == EXIT_TROUBLE and (said := re.findall(r"^Error: (.+)", own, re.MULTILINE)):
        return Trouble(code="node_setup", message=f"On {first.node}: {said[-1]}")
    trouble = diagnose(own, first.status, memory if first.place == 0 else None)
    worker = next((m[1] for m in WORKER.finditer(own) if "died" in own[m.start() : m.start() + 400]), None)
    where = f"On {first.node}" + (f", GPU {worker} of the engine" if worker is not None else "")
    return trouble.model_copy(update={"message": f"{where}: {trouble.message}"})


def _diagnose_lost(log_tail: str, exit_code: int | None, nodes: Sequence[str]) -> Trouble:
    """No node could say how it ended: srun knows, or the step never began."""
    lost = LOST.search(log_tail)
    if lost is not None:
        return Trouble(
            code="rank_lost",
            message=f"On {lost['node']}: what ran there was ended from outside ({lost['how'].strip()}).",
            remedy="It is started again; if it happens twice, tell your centre which node it was.",
        )
    refused = re.search(r"srun: error: (?P<why>.+)", log_tail)
    if refused is not None:
        where = f" on {', '.join(nodes)}" if nodes else ""
        return Trouble(
            code="step_refused",
            message=f"Slurm didn't start the engine{where}: {refused['why'].strip()}.",
            remedy="Launch it again; if it happens twice, send curc-llm logs to your centre's staff.",
        )
    return diagnose(log_tail, exit_code)
