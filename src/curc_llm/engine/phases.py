"""What an engine is doing while it starts, read from its log. Whether it is ready, `probe` tells instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from curc_llm.session.record import EnginePhase

ORDER = (EnginePhase.ENVIRONMENT, EnginePhase.LOADING, EnginePhase.COMPILING)
# A line that never ends must not be kept for ever.
MAX_LINE = 16384
LINE_END = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class PhaseState:
    """What an engine is doing.

    Args:
        phase: `environment`, `loading` or `compiling`.
        progress: 0 to 1 within the phase, None when it can't be told.
        detail: the same in words, for people.
    """

    phase: EnginePhase = EnginePhase.ENVIRONMENT
    progress: float | None = None
    detail: str = "starting Python and vLLM"


@dataclass(frozen=True)
class _Sign:
    """A line that tells what goes on.

    Args:
        pattern: the line; a group named `percent` tells how far a part of the phase is.
        phase: the phase that it stands for.
        words: what people read; `{name}` stands for the pattern's group of that name.
        start, end: the share of the phase that is done at 0 % and at 100 %, None when it can't be told.
    """

    pattern: re.Pattern[str]
    phase: EnginePhase
    words: str
    start: float | None
    end: float | None

    def progress(self, match: re.Match[str]) -> float | None:
        """How far the phase is after this line, 0 to 1."""
        percent = match.groupdict().get("percent")
        if self.start is None or self.end is None or percent is None:
            return self.end
        return self.start + (self.end - self.start) * min(100, int(percent)) / 100


def _sign(
    phase: EnginePhase, pattern: str, words: str, end: float | None = None, *, start: float | None = None
) -> _Sign:
    return _Sign(re.compile(pattern), phase, words, start, end)


_E, _L, _C = ORDER
_SHARDS = r" +(?P<percent>\d+)% Completed \| (?P<n>\d+)/(?P<all>\d+)"
_BAR = r" +(?P<percent>\d+)%\|[^|]*\| *(?P<n>\d+)/(?P<all>\d+)"
# vLLM 0.32's lines in the order in which they appear (vllm/v1, model_executor/model_loader, compilation).
# What a step's share of its phase is was guessed from starts on CPUs and is only shown, never waited for.
SIGNS = (
    _sign(_E, r"non-default args:", "reading the model's configuration", 0.2),
    _sign(_E, r"Resolved architecture: (?P<name>\w+)", "starting the engine for {name}", 0.4),
    _sign(_E, r"Initializing a V1 LLM engine", "starting the workers", 0.7),
    _sign(_E, r"world_size=\d+ rank=", "connecting the workers", 0.9),
    _sign(_L, r"Starting to load model", "opening the weights"),
    _sign(_L, r"Prefetching checkpoint files: \d+% \((?P<n>\d+)/(?P<all>\d+)\)", "reading ahead {n}/{all}"),
    _sign(_L, r"Loading \S+ checkpoint shards:" + _SHARDS, "weights: file {n} of {all}", 1.0, start=0.0),
    _sign(_L, r"Multi-thread loading shards:" + _SHARDS, "weights: file {n} of {all}", 1.0, start=0.0),
    _sign(_L, r"Loading weights took (?P<s>[\d.]+) s", "weights read in {s} s", 1.0),
    _sign(_C, r"Model loading took (?P<gib>[\d.]+) GiB", "{gib} GiB of weights are in memory", 0.05),
    _sign(_C, r"Warming up model for the compilation", "compiling for this machine", 0.1),
    _sign(_C, r"Starting torch\.compile", "compiling for this machine", 0.1),
    _sign(_C, r"Dynamo bytecode transform time", "compiling for this machine", 0.1),
    _sign(_C, r"Compiling a graph for", "compiling for this machine", 0.2),
    _sign(_C, r"Directly load ", "using what an earlier start compiled", 0.4),
    _sign(_C, r"saved AOT compiled function", "compiled; kept for the next start", 0.5),
    _sign(_C, r"torch\.compile took (?P<s>[\d.]+) s in total", "compiled in {s} s", 0.5),
    _sign(_C, r"Available KV cache memory: (?P<gib>[\d.]+) GiB", "{gib} GiB are left for contexts", 0.6),
    _sign(_C, r"KV cache size: (?P<n>[\d,]+) tokens", "room for {n} tokens of context", 0.6),
    _sign(_C, r"Capturing CUDA graphs[^:|]*:" + _BAR, "CUDA graph {n} of {all}", 0.9, start=0.6),
    _sign(_C, r"Graph capturing finished", "CUDA graphs are made", 0.9),
    _sign(_C, r"init engine \(.*\) took", "starting the server", 0.95),
    _sign(_C, r"Starting vLLM server on", "asking for a first token", 1.0),
)  # fmt: skip


class PhaseReader:
    """Follows an engine's log; text may come in pieces of any size, progress bars and nonsense included.

    Example:
        >>> reader = PhaseReader()
        >>> reader.feed("Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:03<00:03]")
        True
        >>> reader.state.phase.value, reader.state.progress, reader.state.detail
        ('loading', 0.5, 'weights: file 1 of 2')
    """

    def __init__(self) -> None:
        self.state = PhaseState()
        self._rest = ""

    def feed(self, text: str) -> bool:
        """Takes in what was logged since the last time; True when the state has changed."""
        before = self.state
        *lines, self._rest = LINE_END.split(self._rest + text)
        for line in lines:
            self._read(line)
        self._rest = self._rest[-MAX_LINE:]
        # A progress bar stands without a line end until its next step, so the rest is looked at as well.
        self._read(self._rest)
        return self.state != before

    def _read(self, line: str) -> None:
        for sign in SIGNS:
            match = sign.pattern.search(line[:MAX_LINE])
            if match:
                self._advance(sign, match)
                return

    def _advance(self, sign: _Sign, match: re.Match[str]) -> None:
        progress, before = sign.progress(match), self.state
        ahead = ORDER.index(sign.phase) - ORDER.index(before.phase)
        if ahead == 0:
            if progress is not None and progress < (before.progress or 0.0):
                return
            progress = before.progress if progress is None else progress
        if ahead >= 0:
            self.state = PhaseState(sign.phase, progress, sign.words.format(**match.groupdict()))
