"""The page's code is held by one model, which widgets name."""

from __future__ import annotations

from curc_llm.notebook import page_code
from curc_llm.notebook.base import Panel


def held(panel: Panel) -> page_code.PageCode:
    """The model that a widget names."""
    assert panel.page == f"IPY_MODEL_{page_code._SHARED[0].model_id}"
    return page_code._SHARED[0]


def test_widgets_share_the_code_and_carry_little_themselves() -> None:
    first, second = Panel(view="card"), Panel(view="chat")
    assert held(first) is held(second)
    assert held(first).code.startswith("// curc-llm widgets")
    assert len(str(second.get_state())) < 25_000


def test_when_somebody_closed_all_widgets_the_next_has_code_again() -> None:
    before = held(Panel(view="card"))
    Panel.close_all()
    after = held(Panel(view="card"))
    assert after is not before
    assert after.comm is not None
    assert after.code == before.code
