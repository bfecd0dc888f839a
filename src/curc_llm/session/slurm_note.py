"""SlurmNote: which Slurm job a session is. Beside the record, since it is there before the job is."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curc_llm.session.files import write_json


class SlurmNote(BaseModel):
    """What the launcher knows once Slurm took the job.

    Args:
        job_id: Slurm's number.
        submitted_at: Unix time in seconds.
        cluster: Slurm's name of the cluster; empty where it isn't known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str = Field(pattern=r"^[1-9][0-9]{0,18}$")
    submitted_at: float
    cluster: str = ""


def read_slurm_note(path: Path) -> SlurmNote | None:
    """Reads a note; None when it is missing or isn't one."""
    try:
        return SlurmNote.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def write_slurm_note(path: Path, note: SlurmNote) -> None:
    """Replaces the note at once."""
    write_json(path, note.model_dump(mode="json"))
