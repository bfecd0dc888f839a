from __future__ import annotations

import pytest

from curc_llm.chat.fences import read_fence


@pytest.mark.parametrize(
    ("fence", "line", "after"),
    [
        ("", "text", ""),
        ("", "- ```python", "```"),
        ("", "~~~~", "~~~~"),
        ("```", "~~~", "```"),
        ("````", "```", "````"),
        ("```", "```python", "```"),
        ("```", "`````", ""),
    ],
)
def test_a_fence_is_open_until_one_as_long_stands_alone(fence: str, line: str, after: str) -> None:
    assert read_fence(fence, line) == after
