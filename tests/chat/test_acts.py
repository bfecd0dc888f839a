from __future__ import annotations

import html
import json
import re
from typing import Any

from curc_llm.chat.acts import render_acts
from curc_llm.chat.telling import listen, render_told, tell


def read(markup: str) -> list[dict[str, Any]]:
    found = re.fullmatch(
        r'<div class="curc-acts" data-curc-number="\d+" data-curc-acts="([^"]*)"></div>', markup
    )
    assert found is not None
    acts: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return acts


def test_whatever_a_text_holds_it_stays_within_its_attribute() -> None:
    evil = '"><script>x</script>\n\n**bold** &quot; \u2028 $x$'
    assert read(render_acts({"act": "copy", "text": evil})) == [{"act": "copy", "text": evil}]
    assert "\n" not in render_acts({"act": "copy", "text": evil})


def test_each_is_done_once_for_its_number_is_new() -> None:
    assert render_acts({"act": "focus"}) != render_acts({"act": "focus"})


def test_what_is_told_while_a_click_is_worked_on_reaches_that_person() -> None:
    with listen() as mine:
        tell("The file is empty.", "Not attached")
        with listen() as theirs:
            tell("Another's.", "Other")
        tell("It is in the list.", "Imported", is_bad=False)
    tell("Nobody listens.", "Lost")
    assert [one.text for one in mine] == ["The file is empty.", "It is in the list."]
    assert [one.text for one in theirs] == ["Another's."]
    assert read(render_told(mine)) == [
        {"act": "tell", "title": "Not attached", "text": "The file is empty.", "bad": True},
        {"act": "tell", "title": "Imported", "text": "It is in the list.", "bad": False},
    ]
