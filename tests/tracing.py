"""Tracing: coverage looks at the first cases of a test, and not at the hundred that follow.

Tracing makes code three times as slow. The cases of one test run the same lines with other values, so once
they have been looked at for a while, the rest run at full speed; so does who only hands the tests out.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

LOOK_S = 0.5
LOOK_CASES = 3


def without_coverage(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment whose processes aren't traced: for those that run other people's code for long."""
    return {name: value for name, value in environment.items() if not name.startswith("COVERAGE_")}


def stop_in_director(config: pytest.Config) -> None:
    """The process that hands tests out to workers runs none of our code."""
    if not hasattr(config, "workerinput") and config.getoption("tx", None):
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


class Tracing:
    """A plugin. Nothing happens without coverage."""

    def __init__(self) -> None:
        self._spent_s: Counter[str] = Counter()
        self._cases: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[object]:
        name = f"{item.path}::{getattr(item, 'originalname', item.name)}"
        if self._cases[name] >= LOOK_CASES and self._spent_s[name] > LOOK_S:
            return (yield from _untraced())
        began = time.process_time()
        result = yield
        self._cases[name] += 1
        self._spent_s[name] += time.process_time() - began
        return result


def _untraced() -> Iterator[object]:
    trace, thread_trace = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        return (yield)
    finally:
        sys.settrace(trace)
        threading.settrace(thread_trace)  # type: ignore[arg-type]
