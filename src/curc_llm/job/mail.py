"""The e-mail that says that a session is ready. It holds no secret: nobody can open the session with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from email.message import EmailMessage
from pathlib import Path

from curc_llm.session.record import SessionRecord

SEND_S = 60.0
# Places that mail programs have besides PATH, which in a job is short.
PLACES = ("/usr/sbin", "/usr/lib", "/usr/bin", "/bin")


class MailError(Exception):
    """The e-mail could not be handed over; the text says why, in a clause."""


def make_message(record: SessionRecord, to: str) -> EmailMessage:
    """The e-mail for a session that has just become ready.

    Args:
        record: the session's.
        to: an address, or a user's name.
    """
    models = ", ".join(engine.served_model_name for engine in record.models)
    message = EmailMessage()
    message["To"] = to
    message["Subject"] = f"Your language model {models} is ready ({record.session_id})"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: answering machines keep quiet
    job = f", Slurm job {record.slurm_job_id}" if record.slurm_job_id else ""
    message.set_content(
        f"Your session {record.session_id} with {models} is ready on {record.host}{job}.\n\n"
        "To use it, open its card in the portal (My Interactive Sessions), or on the cluster type:\n"
        f"  curc-llm endpoint {record.session_id}\n\n"
        "When you don't need it any more:\n"
        f"  curc-llm stop {record.session_id}\n\n"
        "Nobody can use it with this message alone.\n"
    )
    return message


def send_message(message: EmailMessage, path: str | None = None) -> None:
    """Hands an e-mail to sendmail, or to mail where there is no sendmail.

    Args:
        message: with its recipient.
        path: where the programs are looked for; PATH and the usual places when not given.

    Raises:
        MailError: neither is here, or it refused.
    """
    path = path if path is not None else os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    sendmail, mail = shutil.which("sendmail", path=path), shutil.which("mail", path=path)
    if sendmail is not None:
        _run([sendmail, "-oi", "-t"], bytes(message))
    elif mail is not None:
        to = str(message["To"])
        _run([mail, "-s", str(message["Subject"]), to], message.get_content().encode())
    else:
        raise MailError("this node has neither sendmail nor mail")


def _run(command: list[str], text: bytes) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, input=text, capture_output=True, timeout=SEND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MailError(f"{name} can't be run ({error})") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise MailError(f"{name} refused it ({said[-1][:200] if said else f'exit {done.returncode}'})")
