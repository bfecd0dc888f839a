"""Options of the whole test run."""

from __future__ import annotations

import signal

import hypothesis
import pytest

from tests.browser import browser  # noqa: F401 - fixture for all tests
from tests.testbed import fixtures as beds
from tests.testbed.fixtures import free_bed, second_bed, slurm_bed  # noqa: F401 - fixtures for all tests

BEDS = {"e2e": "portal", "centre": "portal", "launch": "launch"}
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
    parser.addoption(
        "--run-slurm", action="store_true", help="run the tests that need the real Slurm of tests/testbed"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    if workers := count_bed_workers(session.config):
        beds.make_networks(workers)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if workers := count_bed_workers(session.config):
        beds.remove_networks(workers)


def count_bed_workers(config: pytest.Config) -> int:
    """How many workers with a bed this process directs; 0 in a worker, and without workers."""
    is_worker = hasattr(config, "workerinput")
    return 0 if is_worker or not config.getoption("--run-slurm") else len(config.getoption("tx") or ())


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps tests together that share a real session or chat; leaves the soak out of every other run."""
    for item in items:
        folder = item.path.parent.name
        if item.get_closest_marker("slurm"):
            # Each worker has a bed of its own, which takes 10 s to get up, so one serves many folders.
            item.add_marker(pytest.mark.xdist_group(BEDS.get(folder, "slurm")))
        elif folder == "e2e" or (folder == "chat" and item.get_closest_marker("browser")):
            item.add_marker(pytest.mark.xdist_group(folder))
        elif item.get_closest_marker("engine"):
            # One after the other: a vLLM that starts takes two cores for half a minute.
            item.add_marker(pytest.mark.xdist_group("engine"))
        elif item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    soak = [] if config.getoption("--run-soak") else [item for item in items if "soak" in item.path.parts]
    slurm = [] if config.getoption("--run-slurm") else [i for i in items if i.get_closest_marker("slurm")]
    left_out = {*soak, *slurm}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
