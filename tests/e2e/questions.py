"""The bundled model's questions and answers."""

from __future__ import annotations

import yaml

from curc_llm.spec import DEMO_MODEL_DIR

_FILE = yaml.safe_load((DEMO_MODEL_DIR / "questions.yml").read_text(encoding="utf-8"))
QUESTIONS: list[dict[str, str]] = _FILE["questions"] if isinstance(_FILE, dict) else _FILE
FIRST = QUESTIONS[0]
