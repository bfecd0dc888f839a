"""Options of the whole test run."""

from __future__ import annotations

import signal

import hypothesis
import pytest

from tests.browser import browser  # noqa: F401 - fixture for all tests
from tests.order import set_groups
from tests.real_session import real_session  # noqa: F401 - fixture for all tests
from tests.testbed import fixtures as beds
from tests.testbed.fixtures import free_bed, second_bed, slurm_bed  # noqa: F401 - fixtures for all tests
from tests.tracing import Tracing, stop_in_director

# Machines are shared: how long an example takes says nothing of the code.
hypothesis.settings.register_profile(
    "shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("shared")
# A run in the background inherits that Ctrl-C is ignored, and so would each program under test.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST_NAME = 100


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-soak", action="store_true", help="run the long tests in tests/soak (make soak)")
    parser.addoption(
        "--run-slurm", action="store_true", help="run the tests that need the real Slurm of tests/testbed"
    )


def pytest_configure(config: pytest.Config) -> None:
    stop_in_director(config)
    config.pluginmanager.register(Tracing(), "curc-llm-tracing")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long text isn't the name of its test: each worker sends all names, and one had 17 MB."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_NAME:
        return f"{argname} of {len(val)}"
    return None


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
    """Leaves the soak and Slurm out of every other run; groups and sorts the rest."""
    left_out = {item for item in items if is_left_out(config, item)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    if config.getoption("dist", "no") != "no" or hasattr(config, "workerinput"):
        set_groups(items)


def is_left_out(config: pytest.Config, item: pytest.Item) -> bool:
    """Whether a test runs only when it is asked for."""
    is_soak = "soak" in item.path.parts or item.get_closest_marker("soak")
    if is_soak and not config.getoption("--run-soak"):
        return True
    return bool(item.get_closest_marker("slurm")) and not config.getoption("--run-slurm")
