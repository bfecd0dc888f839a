"""Why an engine failed, in a person's words."""

from __future__ import annotations

import re
import signal

from curc_llm.engine.causes_machine import MACHINE_CAUSES
from curc_llm.engine.causes_memory import MEMORY_CAUSES, MORE_MEMORY
from curc_llm.engine.causes_model import MODEL_CAUSES
from curc_llm.engine.host_memory import HostMemory
from curc_llm.engine.scrub import scrub
from curc_llm.session.record import Trouble

# The most specific come first; within a file likewise.
CAUSES = (*MEMORY_CAUSES, *MODEL_CAUSES, *MACHINE_CAUSES)
ADMIN = "Start again; if it happens again, send the end of curc-llm logs to your centre's staff."
SIGNALS = {
    9: ("killed", "The engine was killed, most likely because the machine's memory ran out.", MORE_MEMORY),
    7: ("shared_memory", "The engine met a bus error: /dev/shm is probably full.", MORE_MEMORY),
    11: ("crashed", "The engine crashed (segmentation fault).", ADMIN),
    6: ("crashed", "The engine crashed (abort).", ADMIN),
    4: ("cpu_unsupported", "This machine's processor is too old for this vLLM.", "Use a newer node."),
}
# vLLM's own record of how its inner processes ended: (v1/engine/utils.py, v1/executor/multiproc_executor.py).
INNER_EXIT = re.compile(r"Failed core proc\(s\): \{[^}]*?: -(\d+)|died unexpectedly \(exit code: -(\d+)\)")
# The same, when it asked before the system could tell how the worker had ended.
INNER_LOST = re.compile(r"died unexpectedly \(exit code: None\)")
PREFIX = re.compile(
    r"^(?:\([\w ]+? ?(?:pid=\d+)?(?:, [\w.=]+)*\) )*"
    r"(?:(?:ERROR|CRITICAL|WARNING|INFO) [\d-]+ [\d:]+ \[[^\]]*\] ?)?"
)
ERROR_LINE = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Failure)\b(?:$|:)")
BEGIN = re.compile(r"ERROR|CRITICAL|Traceback \(most recent call last\)|[Ee]rror:|Fatal")
# These lines only say that something else went wrong before.
HOLLOW = re.compile(r"core initialization failed|EngineDeadError|EngineCore encountered an issue|^SystemExit")
NOISE = re.compile(r"resource_tracker|warnings\.warn|Warning: |\[shutdown\]|^INFO:")


def diagnose(log_tail: str, exit_code: int | None, memory: HostMemory | None = None) -> Trouble:
    """The most likely cause of a failure, and what to do.

    Args:
        log_tail: the end of the engine's log, of its latest start alone.
        exit_code: its exit status, negative for a signal; None when it still ran.
        memory: what `read_host_memory` tells; with it a kill for want of memory is named for certain.

    Example:
        >>> diagnose("ValueError: No available memory for the cache blocks. Try …", 1).code
        'no_kv_cache'
    """
    text = _error_part(log_tail)
    found = (known.match(text) for known in CAUSES)
    named = next((trouble for trouble in found if trouble), None)
    by_signal = _by_signal(text, exit_code, memory or HostMemory())
    return named or by_signal or _core_lost(text, exit_code) or _unknown(text, exit_code)


def _error_part(log_tail: str) -> str:
    """From the first line that tells of an error, so that harmless lines aren't taken for causes."""
    lines = [PREFIX.sub("", line.rstrip()) for line in log_tail.splitlines()]
    begin = next((n for n, line in enumerate(log_tail.splitlines()) if BEGIN.search(line)), 0)
    return "\n".join(lines[begin:])


def _by_signal(text: str, exit_code: int | None, memory: HostMemory) -> Trouble | None:
    inner = INNER_EXIT.search(text)
    number = int(inner.group(1) or inner.group(2)) if inner else -(exit_code or 0)
    if number not in SIGNALS:
        return None
    code, message, remedy = SIGNALS[number]
    if number == signal.SIGKILL and memory.oom_kills:
        limit = f" of {memory.limit_gib:.0f} GiB" if memory.limit_gib else ""
        code, message = "host_memory", f"The system killed the engine: the job's memory{limit} ran out."
    return Trouble(code=code, message=message, remedy=remedy)


def _core_lost(text: str, exit_code: int | None) -> Trouble | None:
    """The server found its engine core gone, and nothing tells why: somebody or something killed it."""
    if INNER_LOST.search(text):
        message = "A worker of the engine was killed or crashed without a word."
        return Trouble(code="killed", message=message, remedy=MORE_MEMORY)
    told = [line for line in text.splitlines() if ERROR_LINE.match(line.strip()) and not HOLLOW.search(line)]
    if told or exit_code != 0 or "EngineDeadError" not in text:
        return None
    message = "The engine's inner process was killed or crashed without a word."
    return Trouble(code="killed", message=message, remedy=MORE_MEMORY)


def _unknown(text: str, exit_code: int | None) -> Trouble:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not NOISE.search(line)]
    errors = [line for line in lines if ERROR_LINE.match(line) and not HOLLOW.search(line)]
    last = scrub((errors or lines or ["it wrote nothing"])[-1])[:300]
    how = "stopped working" if exit_code is None else f"ended with exit status {exit_code}"
    return Trouble(
        code="engine_failed",
        message=f"The engine {how}: {last}",
        remedy="See curc-llm logs for the whole story.",
    )
