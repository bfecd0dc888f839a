from __future__ import annotations

import base64
import http.server
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from curc_llm.client import Session
from curc_llm.client import images as module
from curc_llm.client.images import add_images, make_data_url
from curc_llm.errors import ApiError, ImageError
from tests.fakes.fake_session import FakeSession


def make_png(mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (2, 2)).save(buffer, format="PNG")
    return buffer.getvalue()


PNG = make_png()
URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture
def web() -> Iterator[str]:
    """A web server that has a picture, a text and a large file."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", "file:///etc/passwd")
                self.end_headers()
                return
            self.send_response(200 if self.path != "/none" else 404)
            self.end_headers()
            self.wfile.write({"/cat": PNG, "/big": PNG + bytes(100_000)}.get(self.path, b"<html>"))

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_picture_goes_before_the_question(fake: FakeSession, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"  # the ending doesn't decide
    path.write_bytes(PNG)
    session.chat("What is it?", images=[path], system="Be brief.")
    system, message = fake.requests[-1]["body"]["messages"]
    assert system["content"] == "Be brief."
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "text", "text": "What is it?"},
    ]


def test_streams_take_pictures_too(fake: FakeSession, session: Session) -> None:
    list(session.stream("What?", images=[PNG]))
    assert fake.requests[-1]["body"]["messages"][0]["content"][0]["image_url"]["url"] == URL


def test_paths_bytes_pictures_and_addresses_all_become_data_urls(web: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    for given in (path, str(path), PNG, bytearray(PNG), Image.open(path), f"{web}/cat", URL):
        assert make_data_url(given) == URL


def test_a_home_can_be_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cat.png").write_bytes(PNG)
    assert make_data_url("~/cat.png") == URL


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "YCbCr", "F"])
def test_pictures_of_all_modes_are_taken(mode: str) -> None:
    assert make_data_url(Image.new(mode, (2, 2))).startswith("data:image/png;base64,")


def test_a_figure_is_a_picture() -> None:
    from matplotlib.figure import Figure

    assert make_data_url(Figure()).startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF87a", "gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
    ],
)
def test_the_kind_is_told_by_the_first_bytes(data: bytes, kind: str) -> None:
    assert make_data_url(data).startswith(f"data:image/{kind};base64,")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"<svg onload=alert(1)>", "no PNG, JPEG, GIF or WebP"),
        (b"", "no PNG, JPEG, GIF or WebP"),
        ("/no/such/file.png", "can't be read"),
        ("a\0b", "can't be read"),
        ("file:///etc/passwd", "can't be read"),
        ("data:text/html;base64,AAAA", "holds no picture"),
        ("data:image/png,plain", "holds no picture"),
        (42, "A int is no picture"),
        ("http://127.0.0.1:9/x.png", "can't be fetched"),
    ],
)
def test_what_is_no_picture_is_told(given: Any, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        make_data_url(given)


def test_files_that_never_end_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for given in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(ImageError, match="can't be read"):
            make_data_url(given)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(PNG)
    os.truncate(path, 2**43)  # takes no room on the disk, but would not fit into memory
    with pytest.raises(ImageError, match="is larger than"):
        make_data_url(path)


def test_the_web_can_refuse_and_cannot_lead_to_files(web: str) -> None:
    for path in ("none", "away"):
        with pytest.raises(ImageError, match="can't be fetched"):
            make_data_url(f"{web}/{path}")
    with pytest.raises(ImageError, match="no PNG"):
        make_data_url(f"{web}/page")


def test_sizes_are_bounded(web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_IMAGE_BYTES", 50_000)
    big = PNG + bytes(60_000)
    (tmp_path / "big.png").write_bytes(big)
    encoded = "data:image/png;base64," + base64.b64encode(big).decode()
    for given in (big, tmp_path / "big.png", f"{web}/big", encoded):
        with pytest.raises(ImageError, match=r"is larger than .*Make it smaller"):
            make_data_url(given)


def test_all_pictures_of_a_question_together_fit_into_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [{"role": "user", "content": "What?"}]
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 3 * len(PNG))
    assert len(add_images(messages, [PNG, PNG])[0]["content"]) == 3
    with pytest.raises(ImageError, match="can be sent"):
        add_images(messages, [PNG] * 4)


def test_the_largest_request_fits_through_the_gateway() -> None:
    from curc_llm.settings import Settings

    encoded = module.MAX_TOTAL_BYTES * 4 / 3
    assert encoded < Settings.model_fields["max_body_mib"].default * 2**20


def test_pictures_belong_to_the_persons_words(session: Session) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    with pytest.raises(ImageError, match="last message"):
        session.chat(talk, images=[PNG])


def test_a_message_that_has_parts_keeps_them() -> None:
    parts = [{"type": "text", "text": "Look."}]
    message = add_images([{"role": "user", "content": parts}], [PNG])[0]
    assert message["content"][1:] == parts


def test_a_model_that_cannot_see_is_told_as_such(fake: FakeSession, session: Session) -> None:
    fake.refusals = [(400, "BadRequestError", "curc-guide is not a multimodal model")]
    with pytest.raises(ApiError, match=r"multimodal model\. It takes no pictures"):
        session.chat("What?", images=[PNG])
