from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from curc_llm.attachments import AttachmentError, AttachmentLimits, Uploads

LIMITS = AttachmentLimits(max_upload_mib=1, max_uploads_mib=2)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def uploads(tmp_path: Path, inbox: Path) -> Uploads:
    return Uploads(tmp_path / "run" / "uploads", LIMITS, inbox)


def put(inbox: Path, content: bytes, name: str = "tmp") -> Path:
    (inbox / name).write_bytes(content)
    return inbox / name


def test_an_upload_moves_into_a_folder_of_its_owner(uploads: Uploads, inbox: Path) -> None:
    upload = uploads.take(put(inbox, b"x,y"), "../my data.csv")
    assert (upload.name, upload.num_bytes, upload.path.read_bytes()) == ("my data.csv", 3, b"x,y")
    assert upload.path.name.endswith("-my-data.csv")
    assert stat.S_IMODE(upload.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(uploads.folder.stat().st_mode) == 0o700
    assert not list(inbox.iterdir())
    assert uploads.num_bytes == 3


def test_two_of_one_name_are_two(uploads: Uploads, inbox: Path) -> None:
    one, two = uploads.take(put(inbox, b"1"), "a"), uploads.take(put(inbox, b"2"), "a")
    assert (one.path.read_bytes(), two.path.read_bytes()) == (b"1", b"2")


def test_too_large_a_file_is_refused_and_gone(uploads: Uploads, inbox: Path) -> None:
    with pytest.raises(
        AttachmentError, match=r"a has 1 MiB; up to 1 MiB can be uploaded\. Copy it to the cluster"
    ):
        uploads.take(put(inbox, bytes(2**20 + 1)), "a")
    assert not list(inbox.iterdir())
    assert uploads.num_bytes == 0


def test_all_uploads_together_are_bounded(uploads: Uploads, inbox: Path) -> None:
    first = uploads.take(put(inbox, bytes(2**20)), "a")
    uploads.take(put(inbox, bytes(2**20)), "b")
    with pytest.raises(AttachmentError, match="c has 1 byte, and uploads take 2 MiB of 2 MiB already"):
        uploads.take(put(inbox, b"1"), "c")
    uploads.discard(first)
    uploads.discard(first)
    assert uploads.take(put(inbox, b"1"), "c").num_bytes == 1


def test_what_is_no_upload_is_left_alone(uploads: Uploads, inbox: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (inbox / "link").symlink_to(secret)
    for path in (secret, inbox / "link", inbox / ".." / "secret"):
        with pytest.raises(AttachmentError, match="is no upload of this page"):
            uploads.take(path, "a")
    assert secret.read_text() == "mine"


def test_a_pipe_is_no_upload(uploads: Uploads, inbox: Path) -> None:
    os.mkfifo(inbox / "pipe")
    with pytest.raises(AttachmentError, match="is a pipe"):
        uploads.take(inbox / "pipe", "a")


def test_a_full_disk_is_told_and_leaves_nothing(
    uploads: Uploads, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("curc_llm.attachments.uploads.Source.read", fail)
    with pytest.raises(AttachmentError, match="a can't be kept on the node: No space left on device"):
        uploads.take(put(inbox, b"1"), "a")
    assert not list(uploads.folder.iterdir())


def test_all_is_gone_at_the_end(uploads: Uploads, inbox: Path) -> None:
    uploads.take(put(inbox, b"1"), "a")
    uploads.clear()
    uploads.clear()
    assert not uploads.folder.exists()
    assert uploads.num_bytes == 0


def test_without_an_inbox_any_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    assert Uploads(tmp_path / "u").take(str(tmp_path / "a"), "a").num_bytes == 1


def test_limits_are_stated() -> None:
    assert LIMITS.text.startswith("Up to 1 MiB a file and 2 MiB in all; uploads are removed")
