from __future__ import annotations

import subprocess
import sys

import pytest

IMPORTS = """
import asyncio, sys
from curc_llm.chat.server import import_ahead
print("jsonschema" in sys.modules)
asyncio.run(import_ahead(0))
print("jsonschema" in sys.modules, "jsonschema_specifications" in sys.modules)
"""


@pytest.mark.slow
def test_what_a_json_schema_needs_is_imported_after_the_page_and_before_anybody_waits_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "True"]
