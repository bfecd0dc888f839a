"""Errors before there is a session, in words for the card."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from curc_llm.errors import LaunchError, ModelDoesNotFitError
from curc_llm.job.portal_trouble import explain_trouble, write_trouble
from curc_llm.session.record import Trouble


def test_our_own_errors_keep_their_words() -> None:
    told = explain_trouble(ModelDoesNotFitError("Too large.", "Take two."))
    assert (told.code, told.message, told.remedy) == ("model_does_not_fit", "Too large.", "Take two.")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(number: int) -> None:
    told = explain_trouble(OSError(number, "full", "/home/u@x/state/a"))
    assert told.code == "disk_full"
    assert "/home/u@x/state" in told.message
    assert "Delete" in told.remedy


def test_a_full_disk_behind_one_of_our_errors_is_named() -> None:
    error = LaunchError("The session folder can't be written.")
    error.__cause__ = OSError(errno.EDQUOT, "full", "/home/u/x")
    assert explain_trouble(error).code == "disk_full"


def test_a_read_only_folder_is_named() -> None:
    told = explain_trouble(OSError(errno.EROFS, "Read-only file system", "/projects/u"))
    assert told.message == "/projects/u can't be written: Read-only file system."


def test_a_broken_environment_is_for_the_staff() -> None:
    told = explain_trouble(ModuleNotFoundError("No module named 'pydantic'", name="pydantic"))
    assert told.code == "runtime_broken"
    assert "pydantic" in told.message
    assert "staff" in told.remedy


def test_anything_else_is_told_without_its_text() -> None:
    told = explain_trouble(ZeroDivisionError("secret"))
    assert "ZeroDivisionError" in told.message
    assert "secret" not in told.message


def test_a_folder_that_can_t_be_written_is_no_second_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_trouble(tmp_path / "gone", Trouble(code="a", message="b"))
    assert "can't be written" in capsys.readouterr().err


def test_it_is_written_as_json(tmp_path: Path) -> None:
    write_trouble(tmp_path, Trouble(code="a", message="b", remedy="c"))
    assert json.loads((tmp_path / "trouble.json").read_text()) == {"code": "a", "message": "b", "remedy": "c"}
