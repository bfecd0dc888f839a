from __future__ import annotations

import base64
import io
import random
import struct
import zlib

import pytest
from PIL import Image

from curc_llm.attachments import Attachment, AttachmentError
from tests.attachments.conftest import make_image


def open_image(found: Attachment) -> Image.Image:
    head, _, data = found.image.partition(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{str(image.format).lower()};base64"
    return image


def make_noise(size: tuple[int, int], kind: str = "PNG") -> bytes:
    pixels = random.Random(1).randbytes(size[0] * size[1] * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", size, pixels).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_images_of_each_kind_are_taken(read, kind: str) -> None:
    found = read("a", make_image(kind))
    assert open_image(found).size == (80, 40)
    assert (found.kind, found.text, found.image_tokens, found.num_tokens) == ("image", "", 6, 6)
    assert found.note == "80 x 40 pixels."


def test_where_and_with_what_a_photograph_was_taken_is_left_out(read) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825)[29] = "SECRET-DAY"
    data = make_image("JPEG", exif=exif, comment=b"SECRET-COMMENT")
    assert data.count(b"SECRET") == 3
    found = read("a.jpg", data)
    assert b"SECRET" not in base64.b64decode(found.image.partition(",")[2])
    assert not open_image(found).getexif()


def test_text_hidden_in_a_png_is_left_out(read) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "SECRET")
    assert b"SECRET" not in base64.b64decode(read("a.png", make_image(pnginfo=info)).image.partition(",")[2])


def test_a_photograph_stands_upright(read) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(read("a.jpg", make_image("JPEG", exif=exif))).size == (40, 80)


def test_a_large_image_is_scaled_down_and_says_so(read) -> None:
    found = read("a.png", make_image(size=(4000, 1000)))
    assert open_image(found).size == (1536, 384)
    assert found.note == "4,000 x 1,000 pixels, sent as 1,536 x 384."


def test_no_image_is_sent_larger_than_allowed(read) -> None:
    for name, data in (("a.png", make_noise((700, 700))), ("a.jpg", make_noise((700, 700), "JPEG"))):
        found = read(name, data, max_image_bytes=60_000)
        assert len(found.image) <= 60_000 * 4 / 3 + 40
        assert max(open_image(found).size) < 700
    assert open_image(read("a.png", make_noise((50, 50)), max_image_bytes=10)).size == (50, 50)


def test_what_is_transparent_becomes_white(read) -> None:
    for mode, colour in (("RGBA", (0, 0, 0, 0)), ("LA", (0, 0))):
        out = io.BytesIO()
        Image.new(mode, (4, 4), colour).save(out, "PNG")
        assert open_image(read("a.png", out.getvalue())).convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_grey_of_16_bits_keeps_its_shades(read) -> None:
    out = io.BytesIO()
    image = Image.new("I;16", (2, 1))
    image.putpixel((0, 0), 1000)
    image.putpixel((1, 0), 3000)
    image.save(out, "PNG")
    found = open_image(read("a.png", out.getvalue())).convert("L")
    assert (found.getpixel((0, 0)), found.getpixel((1, 0))) == (0, 255)


def test_of_a_moving_image_the_first_picture_is_sent(read) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    found = read("a.gif", out.getvalue())
    assert open_image(found).convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert found.note == "8 x 8 pixels; only the first picture of a moving one."


def make_bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it has very many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("side", "says"), [(8000, "has 64 million pixels; up to 50 million"), (60_000, "")])
def test_a_bomb_is_refused_before_it_is_unpacked(read, side: int, says: str) -> None:
    with pytest.raises(AttachmentError, match=says or "can't be decoded as an image: Image size"):
        read("a.png", make_bomb(side))


@pytest.mark.parametrize(
    "data", [make_image()[:40], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", make_bomb(100)]
)
def test_a_broken_image_is_told(read, data: bytes) -> None:
    with pytest.raises(
        AttachmentError, match=r"a\.png can't be decoded as an image: .+\. Open it and save it again"
    ):
        read("a.png", data)
