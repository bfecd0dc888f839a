"""Sessions for cards: folders with a record as a job would leave them, drawn by Ruby as the portal does."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from curc_llm.session.files import write_json, write_private
from curc_llm.session.login import make_login_secret
from curc_llm.session.record import EngineRecord, SessionRecord

NOW = time.time()
SESSION_ID = "ood-2c9b8a00"


def make_engine(**changes: Any) -> EngineRecord:
    """An engine that loads; `changes` are EngineRecord's fields."""
    values: dict[str, Any] = {
        "served_model_name": "qwen3-32b",
        "model": "Qwen/Qwen3-32B",
        "phase": "loading",
        "started_at": time.time() - 75,
        "phase_since": time.time() - 40,
        "expected_ready_s": 200.0,
    }
    return EngineRecord(**values | changes)


def make_record(**changes: Any) -> SessionRecord:
    """A session's record; `changes` are SessionRecord's fields."""
    now = time.time()
    values: dict[str, Any] = {
        "session_id": SESSION_ID,
        "owner": "ralphie",
        "host": "c3gpu-a9-u29-1",
        "pid": 4321,
        "pid_started": 99,
        "slurm_job_id": "1234567",
        "status": "starting",
        "engines": (make_engine(),),
        "port": 42779,
        "base_url": "http://c3gpu-a9-u29-1:42779/v1",
        "chat_url": "http://c3gpu-a9-u29-1:42779/chat/",
        "started_at": now - 80,
        "heartbeat_at": now,
        "ends_at": now + 4 * 3600 - 80,
    }
    return SessionRecord(**values | changes)


class Card:
    """A session's card.

    Args:
        folder: where the staged folder and the session's folder are made.
        app: the app's folder.
        context: the form's values.
    """

    def __init__(self, folder: Path, app: Path, context: Any = None) -> None:
        self.app = app
        self.staged = folder / "output" / str(uuid.UUID(int=0x2C9B8A00111142228333123456789ABC))
        self.session = folder / "sessions" / SESSION_ID
        self.staged.mkdir(parents=True, mode=0o700)
        asked = {
            "llm_model": "qwen3-32b",
            "llm_gpus": "a100-80gb-x2",
            "bc_num_hours": "4",
            "auto_accounts": "ucb1_asc1",
        }
        write_json(self.staged / "user_defined_context.json", asked if context is None else context)

    def begin(self, record: SessionRecord | None, **spec: Any) -> None:
        """Writes what a running job has written."""
        self.session.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not (self.staged / "session").is_symlink():
            (self.staged / "session").symlink_to(self.session)
        plan = {"su_per_h": 259.2, "load_time_s": 150.0}
        write_json(self.session / "spec.json", {"idle_stop_min": 30, "origins": [{"plan": plan}]} | spec)
        write_json(self.session / "portal.json", {"login_hosts": ["login.rc.colorado.edu"], "unit": "SU"})
        write_private(self.session / "api.key", "curc-" + "K" * 43 + "\n")
        make_login_secret(self.session / "login.key")
        if record is not None:
            write_json(self.session / "session.json", record.to_json())

    def connect(self, host: str = "c3gpu-a9-u29-1", port: str = "42779") -> None:
        """Writes connection.yml as the portal's script does."""
        values = {"llm_root": self.staged, "llm_app": self.app}
        lines = [f"{name}: r{str(path).encode().hex()}" for name, path in values.items()]
        text = "\n".join([*lines, f"host: {host}", f"port: {port}", "password: "])
        write_private(self.staged / "connection.yml", text + "\n")

    def draw(self, status: str, version: str = "4.2", **known: Any) -> dict[str, Any]:
        """The parts `info`, `view`, `completed` as the portal shows them; `raw` has them before Markdown."""
        said = {"status": status, "job_id": "1234567", "wallclock_limit": 14400} | known
        command = [
            "ruby",
            str(Path(__file__).with_name("card_draw.rb")),
            str(self.app),
            str(self.staged),
            version,
        ]
        answer = subprocess.run(
            command, input=json.dumps(said), capture_output=True, text=True, check=True, timeout=60
        )
        assert not answer.stderr, answer.stderr
        return dict(json.loads(answer.stdout))
