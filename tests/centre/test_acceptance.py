"""The acceptance run: what it calls kept and broken, and its report (a real run is in test_in_bed.py)."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curc_llm.centre.accept_access import check_access
from curc_llm.centre.accept_service import check_service, check_start, see_connection, see_cost, see_phases
from curc_llm.centre.acceptance import check_caller, find_leftovers
from curc_llm.centre.accepted import Accepted
from curc_llm.centre.promise import BrokenPromiseError, Promise, UnknownPromiseError, try_promise
from curc_llm.centre.report import render_report, write_report
from curc_llm.centre.web import ask
from curc_llm.errors import CurcLlmError
from curc_llm.session.files import write_private
from curc_llm.session.login import make_login_secret
from curc_llm.session.paths import SessionPaths
from curc_llm.session.record import EngineRecord, SessionRecord
from curc_llm.sites.load import load_site
from curc_llm.slurm.command import Slurm
from curc_llm.spec import make_session_id

KEY = "sk-acceptance-test-key"


class Careless(http.server.BaseHTTPRequestHandler):
    """A gateway that lets everybody in, takes a login twice, and answers nothing sensible."""

    def do_GET(self) -> None:
        self._answer(200, "<html>everyone is welcome</html>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/login":
            self._answer(303, "", ("Set-Cookie", "curc=1"))
        else:
            self._answer(200, "{}")

    def _answer(self, status: int, body: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def careless() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Careless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Accepted]:
    """A session's folder, with secrets, and what is known of it."""

    def make(base_url: str = "", **record: Any) -> Accepted:
        paths = SessionPaths(tmp_path / "state" / "sessions" / make_session_id("slurm"))
        paths.make()
        write_private(paths.api_key, KEY + "\n")
        write_private(paths.keys, "{}")
        make_login_secret(paths.login_secret)
        values = {"session_id": paths.root.name, "owner": "anna", "host": "n1", "pid": 1, "pid_started": 1,
                  "started_at": time.time(), "heartbeat_at": time.time(), "status": "ready",
                  "engines": (EngineRecord(served_model_name="m", model="m"),)} | record  # fmt: skip
        known = SessionRecord.model_validate(values)
        site = load_site("alpine")
        return Accepted(paths, "1", "anna", site, None, lambda: known, base_url=base_url)

    return make


def verdicts(promises: Iterator[Promise]) -> dict[str, str]:
    return {p.name: p.verdict for p in promises}


@pytest.mark.slow
def test_a_gateway_that_lets_everyone_in_breaks_the_promises(
    careless: str, make: Callable[..., Accepted]
) -> None:
    found = verdicts(check_access(make(careless)))
    broken = {"refused_without_key", "refused_wrong_key", "refused_other_user", "login_once"}
    assert {name for name, verdict in found.items() if verdict == "broken"} == broken


@pytest.mark.slow
def test_answers_that_are_none_break_the_promises(careless: str, make: Callable[..., Accepted]) -> None:
    found = verdicts(check_service(make(careless), Slurm(environment={"PATH": "/nowhere"})))
    assert set(found.values()) == {"broken"}


@pytest.mark.slow
def test_a_session_that_nobody_reaches_breaks_page_and_path(make: Callable[..., Accepted]) -> None:
    session = make("http://127.0.0.1:1/v1")
    session.seen_at["address"] = session.job_start_at = time.time()
    found = verdicts(check_start(session))
    assert found == {"connection": "kept", "page_at_once": "broken", "portal_path": "broken"}


@pytest.mark.slow
def test_files_that_others_can_read_and_secrets_in_logs_are_found(
    careless: str, make: Callable[..., Accepted]
) -> None:
    session = make(careless)
    session.paths.api_key.chmod(0o644)
    session.paths.log("job").write_text(f"key={KEY}\n")
    promises = {p.name: p for p in check_access(session)}
    assert "0644" in promises["private_files"].found
    assert "0600" not in promises["private_files"].found
    assert promises["no_secret_elsewhere"].verdict == "broken"
    assert KEY not in "".join(p.found for p in promises.values())


@pytest.mark.parametrize(("seconds", "verdict"), [(0.5, "kept"), (3.9, "kept"), (4.5, "broken")])
def test_the_address_has_three_seconds(make: Callable[..., Accepted], seconds: float, verdict: str) -> None:
    session = make()
    session.job_start_at, session.seen_at["address"] = 1000.0, 1000.0 + seconds
    assert try_promise("connection", "", lambda: see_connection(session)).verdict == verdict


@pytest.mark.parametrize(
    ("phases", "verdict"),
    [
        (["queued", "loading", "ready"], "kept"),
        (["ready"], "broken"),
        (["loading", "environment", "ready"], "broken"),
        (["queued", "loading"], "broken"),
    ],
)
def test_phases_are_told_in_order(make: Callable[..., Accepted], phases: list[str], verdict: str) -> None:
    session = make()
    session.phases, session.seen_at = phases, {"ready": 10.0, "address": 1.0}
    assert try_promise("phases", "", lambda: see_phases(session)).verdict == verdict


@pytest.mark.slow
def test_what_is_left_of_a_session_is_named(careless: str, make: Callable[..., Accepted]) -> None:
    session = make(careless)
    left = find_leftovers(session, Slurm(environment={"PATH": "/nowhere"}))
    assert [word.split()[0] for word in left] == ["job", "port", "api.key", "login.key", "keys.json"]


def test_without_sacct_the_cost_is_broken_not_forgotten(make: Callable[..., Accepted]) -> None:
    slurm = Slurm(environment={"PATH": "/nowhere"})
    found = try_promise("cost", "", lambda: see_cost(make(), slurm, patience_s=0))
    assert found.verdict == "broken"
    assert "sacct" in found.found


def test_a_promise_is_kept_broken_or_unknown() -> None:
    def fail(error: Exception) -> str:
        raise error

    assert try_promise("a", "", lambda: "fine").found == "fine"
    assert try_promise("a", "", lambda: fail(UnknownPromiseError("no sacct"))).verdict == "unknown"
    assert try_promise("a", "", lambda: fail(BrokenPromiseError("4 s"))).found == "4 s"
    assert try_promise("a", "", lambda: fail(KeyError())).found == "KeyError"


def test_the_report_says_at_once_whether_all_is_well(tmp_path: Path) -> None:
    kept, broken = (
        Promise("a", "It | works.", "kept", "1 s"),
        Promise("b", "It stops.", "broken", "a\nprocess"),
    )
    assert "Every promise is kept." in render_report([kept], {})
    text = render_report([kept, broken], {"Site": "alpine", "Empty": ""})
    assert "1 of 2 promises are broken." in text
    assert "| It \\| works. | kept | 1 s |" in text
    assert "| It stops. | **BROKEN** | a process |" in text
    assert "Empty" not in text
    path = write_report(tmp_path / "report", [kept, broken], {"Site": "alpine"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.with_suffix(".json").read_text())["ok"] is False


@pytest.mark.slow
def test_web_follows_no_redirect(careless: str) -> None:
    assert ask(careless.removesuffix("/v1") + "/login", form={"a": "b"}).status == 303


def test_root_is_told_to_be_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(CurcLlmError, match="isn't for root"):
        check_caller()
