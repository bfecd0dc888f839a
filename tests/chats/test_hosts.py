from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.chats import hosts
from curc_llm.chats.hosts import find_host, make_host
from tests.chats.conftest import Start


def test_all_processes_of_this_kernel_have_one_name(start: Start) -> None:
    process = start("from curc_llm.chats.hosts import find_host; print(find_host())")
    assert process.stdout is not None
    assert process.stdout.read().strip() == find_host()


def test_a_reboot_gives_another_name_that_tells_nothing() -> None:
    assert make_host("1") != make_host("2")
    assert make_host("secret-node").isalnum()
    assert "secret" not in make_host("secret-node")


def test_there_is_a_name_without_proc_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "BOOT_ID", Path("/nowhere"))
    assert len(find_host.__wrapped__()) == 10
