"""The e-mail that says that a session is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from curc_llm.job.mail import MailError, make_message, send_message
from curc_llm.session.record import EngineRecord, SessionRecord

RECORD = SessionRecord(
    session_id="slurm-a1",
    owner="anna",
    host="c1",
    pid=1,
    pid_started=1,
    slurm_job_id="77",
    port=4000,
    base_url="http://c1:4000/v1",
    started_at=0,
    heartbeat_at=0,
    engines=(EngineRecord(served_model_name="curc-guide", model="demo"),),
)


def make_program(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin" if name == "sendmail" else str(folder)


def test_it_says_what_is_ready_and_how_to_use_and_stop_it() -> None:
    message = make_message(RECORD, "anna@colorado.edu")
    text = message.get_content()
    assert message["To"] == "anna@colorado.edu"
    assert "curc-guide is ready" in message["Subject"]
    assert "curc-llm endpoint slurm-a1" in text
    assert "curc-llm stop slurm-a1" in text
    assert "token" not in text
    assert "http" not in text


def test_it_is_handed_to_sendmail_with_the_recipient_inside(tmp_path: Path) -> None:
    path = make_program(tmp_path / "bin", "sendmail", f'echo "$@" > {tmp_path}/args; cat > {tmp_path}/mail')
    send_message(make_message(RECORD, "anna"), path)
    assert (tmp_path / "args").read_text() == "-oi -t\n"
    assert "To: anna\n" in (tmp_path / "mail").read_text()


def test_without_sendmail_mail_does(tmp_path: Path) -> None:
    path = make_program(tmp_path / "bin", "mail", f'echo "$3" > {tmp_path}/to; /bin/cat > {tmp_path}/mail')
    send_message(make_message(RECORD, "anna"), path)
    assert (tmp_path / "to").read_text() == "anna\n"
    assert "slurm-a1" in (tmp_path / "mail").read_text()


def test_without_either_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(MailError, match="neither sendmail nor mail"):
        send_message(make_message(RECORD, "anna"), str(tmp_path))


def test_a_refusal_is_told(tmp_path: Path) -> None:
    path = make_program(tmp_path / "bin", "sendmail", "echo no route >&2; exit 75")
    with pytest.raises(MailError, match="no route"):
        send_message(make_message(RECORD, "anna"), path)
