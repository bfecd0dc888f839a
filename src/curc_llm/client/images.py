"""Pictures for models that see: whatever people have becomes a data URL, within bounds.

The engine fetches nothing from the network (it may not reach beyond the node, and what it fetched would be
somebody else's choice), so pictures from the web are fetched here.
"""

from __future__ import annotations

import base64
import io
import os
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curc_llm.errors import ImageError

# The gateway takes 32 MiB a request by default (`max_body_mib`), and base64 adds a third.
MAX_IMAGE_BYTES = 20 * 2**20
MAX_TOTAL_BYTES = 22 * 2**20
FETCH_TIMEOUT_S = 30.0
PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"}
# First bytes of the formats that vLLM's reader (Pillow) and browsers both know; an ending proves nothing.
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def make_image_parts(images: Iterable[Any]) -> list[dict[str, Any]]:
    """Content parts of a message, one for each picture.

    Args:
        images: paths, bytes, PIL images, matplotlib figures, http(s) or data URLs.

    Raises:
        ImageError: one can't be read, is no picture, or they are too large.
    """
    urls = [make_data_url(image) for image in images]
    total = sum(len(url) for url in urls) * 3 // 4
    if total > MAX_TOTAL_BYTES:
        raise ImageError(
            f"The pictures take {total / 2**20:.1f} MiB; up to {MAX_TOTAL_BYTES // 2**20} MiB can be sent.",
            "Send fewer, or make them smaller.",
        )
    return [{"type": "image_url", "image_url": {"url": url}} for url in urls]


def add_images(messages: Sequence[dict[str, Any]], images: Iterable[Any]) -> list[dict[str, Any]]:
    """The messages, with pictures before the text of the last one, which must be the person's."""
    parts = make_image_parts(images)
    if not parts:
        return list(messages)
    *others, last = messages
    if last.get("role") != "user":
        raise ImageError("Pictures belong to a question, but the last message isn't the user's.", "Add one.")
    content = last["content"]
    text = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*others, {**last, "content": [*parts, *text]}]


def make_data_url(image: Any) -> str:
    """A picture as a data URL.

    Example:
        >>> make_data_url(b"GIF89a")
        'data:image/gif;base64,R0lGODlh'
    """
    if isinstance(image, str) and image.startswith("data:"):
        return _check_data_url(image)
    data = _read(image)
    if len(data) > MAX_IMAGE_BYTES:
        raise _too_large(_name(image))
    return f"data:{find_type(data, _name(image))};base64,{base64.b64encode(data).decode()}"


def find_type(data: bytes, name: str) -> str:
    """The media type by the picture's first bytes.

    Raises:
        ImageError: it is none that models take.
    """
    for signature, kind in _SIGNATURES.items():
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise ImageError(
        f"{name} is no PNG, JPEG, GIF or WebP picture.", "Convert it first, for example with Pillow."
    )


def _read(image: Any) -> bytes:
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str) and urlsplit(image).scheme in {"http", "https"}:
        return _fetch(image)
    if isinstance(image, str | os.PathLike):
        return _read_file(Path(image).expanduser())
    if hasattr(image, "savefig"):  # a matplotlib figure
        return _save(lambda buffer: image.savefig(buffer, format="png"))
    if hasattr(image, "save"):  # a PIL image
        kept = image if getattr(image, "mode", "RGB") in PNG_MODES else image.convert("RGB")
        return _save(lambda buffer: kept.save(buffer, format="PNG"))
    raise ImageError(
        f"A {type(image).__name__} is no picture.",
        "Give a path, bytes, an http address, a PIL image or a matplotlib figure.",
    )


def _read_file(path: Path) -> bytes:
    try:
        if not path.is_file():  # a device or pipe might never end
            raise FileNotFoundError("there is no such file")
        with path.open("rb") as file:
            return file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"{str(path)!r} can't be read: {error}.", "Check the path.") from None


def _fetch(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "curc-llm"})  # noqa: S310 - http(s) only
    try:
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as answer:  # noqa: S310 - as above
            found: bytes = answer.read(MAX_IMAGE_BYTES + 1)
            return found
    except (OSError, ValueError) as error:
        raise ImageError(f"{url} can't be fetched: {error}.", "Download it and give its path.") from None


def _save(write: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        write(buffer)
    except (OSError, ValueError) as error:
        raise ImageError(f"The picture can't be written as PNG: {error}.", "Make it RGB first.") from None
    return buffer.getvalue()


def _check_data_url(url: str) -> str:
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ImageError("This data URL holds no picture.", "It looks like data:image/png;base64,...")
    if len(data) * 3 // 4 > MAX_IMAGE_BYTES:
        raise _too_large("The data URL")
    return url


def _name(image: Any) -> str:
    if isinstance(image, str | os.PathLike):
        return repr(os.fspath(image))
    return "The picture"


def _too_large(name: str) -> ImageError:
    return ImageError(
        f"{name} is larger than {MAX_IMAGE_BYTES // 2**20} MiB.",
        "Make it smaller: models scale pictures down anyway.",
    )
