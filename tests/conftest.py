"""Options of the whole test run."""

from __future__ import annotations

import signal

import hypothesis
import pytest

# Machines are shared: how long an example takes says nothing of the code.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")
# A run in the background inherits that Ctrl-C is ignored, and so would each program under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-soak", action="store_true", help="run the long tests in tests/soak (make soak)")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps tests together that share a real session or chat; leaves the soak out of every other run."""
    for item in items:
        folder = item.path.parent.name
        if folder == "e2e" or (folder == "chat" and item.get_closest_marker("browser")):
            item.add_marker(pytest.mark.xdist_group(folder))
        elif item.get_closest_marker("engine") or item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    if config.getoption("--run-soak"):
        return
    soak = [item for item in items if "soak" in item.path.parts]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if item not in soak]
