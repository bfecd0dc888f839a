from __future__ import annotations

from typing import Any

import pytest

from curc_llm.errors import CurcLlmError
from curc_llm.notebook.base import Panel, free_comm


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    panel = Panel(view="card")
    panel.sent = []
    monkeypatch.setattr(panel, "send", panel.sent.append)
    return panel


def take(panel: Panel, content: Any) -> Any:
    panel._take_message(panel, content, [])
    return panel.sent[-1] if panel.sent else None


def test_a_command_is_answered_with_what_its_handler_returns(panel: Panel) -> None:
    panel.on_action("double", lambda data: {"number": 2 * data["number"]})
    answer = take(panel, {"action": "double", "id": "a1", "data": {"number": 4}})
    assert answer == {"ack": "a1", "result": {"number": 8}}


def test_a_handlers_error_is_shown_on_the_page(panel: Panel) -> None:
    def fail(_: Any) -> None:
        raise CurcLlmError("No.", "Do this.")

    panel.on_action("fail", fail)
    answer = take(panel, {"action": "fail", "id": "a1"})
    assert answer == {"ack": "a1", "trouble": {"message": "No.", "remedy": "Do this."}}


def test_a_handlers_defect_is_told_too(panel: Panel) -> None:
    panel.on_action("fail", lambda data: data["missing"])
    answer = take(panel, {"action": "fail", "id": "a1", "data": {}})
    assert "KeyError" in answer["trouble"]["message"]


def test_a_command_of_another_version_is_refused(panel: Panel) -> None:
    assert "no command 'fly'" in take(panel, {"action": "fly", "id": "a1"})["trouble"]["message"]


@pytest.mark.parametrize("content", [None, 7, "x", [], {}, {"ack": "x"}])
def test_what_is_no_command_is_left_alone(panel: Panel, content: Any) -> None:
    assert take(panel, content) is None


def test_what_a_handler_returns_is_kept_in_no_trait(panel: Panel) -> None:
    panel.on_action("key", lambda _: {"key": "sk-secret"})
    take(panel, {"action": "key", "id": "a1"})
    assert "sk-secret" not in str(panel.get_state())


def test_commands_arrive_while_cells_run() -> None:
    class Comm:
        def _reply_subshell_for(self) -> None: ...

    comm = Comm()
    free_comm(comm)
    assert comm._reply_subshell_for is None
    free_comm(object())
