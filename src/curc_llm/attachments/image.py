"""Images, made as small as models need them and free of what cameras write into them.

An image is decoded and encoded anew, so that what reaches the engine's reader was written here, and nothing
of place, time or camera goes along. vLLM's own readers scale larger images down anyway.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from curc_llm.attachments.errors import AttachmentError
from curc_llm.attachments.limits import AttachmentLimits
from curc_llm.attachments.tokens import estimate_image_tokens

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_LOSSLESS = {"PNG", "GIF"}
_QUALITIES = (88, 75, 60)
_SHRINK = 0.75
_LEAST_SIDE_PX = 64


class Picture:
    """An image as a model gets it.

    Args:
        url: a data URL.
        num_tokens: estimate.
        note: what was changed, in words.
    """

    def __init__(self, url: str, num_tokens: int, note: str) -> None:
        self.url = url
        self.num_tokens = num_tokens
        self.note = note


def read_image(data: bytes, name: str, limits: AttachmentLimits) -> Picture:
    """Reads an image.

    Raises:
        AttachmentError: it can't be decoded, or has too many pixels.
    """
    try:
        return _read(data, name, limits)
    except AttachmentError:
        raise
    except Exception as error:
        raise AttachmentError(
            f"{name} can't be decoded as an image: {_first_line(error)}.", "Open it and save it again as PNG."
        ) from error


def _read(data: bytes, name: str, limits: AttachmentLimits) -> Picture:
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(image, name, limits)
        width, height, kind = image.width, image.height, image.format or ""
        is_moving = bool(getattr(image, "is_animated", False))
        image.draft("RGB", (limits.max_image_side_px, limits.max_image_side_px))  # JPEG: decodes less
        image.load()
        upright = ImageOps.exif_transpose(image)
        plain = _flatten(upright if upright is not None else image)
    side = limits.max_image_side_px
    plain.thumbnail((side, side), Image.Resampling.LANCZOS)
    encoded, media_type, plain = _encode(plain, kind in _LOSSLESS, limits.max_image_bytes)
    note = f"{width:,} x {height:,} pixels"
    if max(plain.size) < max(width, height):
        note += f", sent as {plain.width:,} x {plain.height:,}"
    note += "; only the first picture of a moving one." if is_moving else "."
    url = f"data:{media_type};base64,{base64.b64encode(encoded).decode()}"
    return Picture(url, estimate_image_tokens(*plain.size), note)


def _check_size(image: Image.Image, name: str, limits: AttachmentLimits) -> None:
    if not image.width or not image.height:
        raise AttachmentError(f"{name} is an image without pixels.", "Attach another file.")
    megapixels = image.width * image.height / 1e6
    if megapixels > limits.max_image_megapixels:
        raise AttachmentError(
            f"{name} has {megapixels:,.0f} million pixels; "
            f"up to {limits.max_image_megapixels:g} million are read.",
            "Attach a smaller version or a part of it.",
        )


def _flatten(image: Image.Image) -> Image.Image:
    """The bare pixels, in colour or grey, on white where they were transparent."""
    from PIL import Image

    if image.mode in {"I;16", "I;16B", "I;16L", "I", "F"}:  # microscopes and detectors
        return _scale_grey(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A"))
        return flat
    bare = image.convert("L" if image.mode in {"1", "L"} else "RGB")
    copy = Image.new(bare.mode, bare.size)
    copy.paste(bare)
    return copy


def _scale_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits: from its darkest to its brightest, or everything would be white."""
    values = image.convert("F")
    low, high = (float(value) for value in values.getextrema())  # type: ignore[arg-type] # one band
    spread = (high - low) or 1.0
    return values.point(lambda value: (value - low) * (255.0 / spread)).convert("L")


def _encode(image: Image.Image, is_lossless: bool, most_bytes: int) -> tuple[bytes, str, Image.Image]:
    """The image in so many bytes: as PNG if it was and fits, else as JPEG, else smaller."""
    if is_lossless and len(data := _save(image, "PNG", optimize=False)) <= most_bytes:
        return data, "image/png", image
    while True:
        for quality in _QUALITIES:
            data = _save(image, "JPEG", quality=quality)
            if len(data) <= most_bytes:
                return data, "image/jpeg", image
        if max(image.size) <= _LEAST_SIDE_PX:
            return data, "image/jpeg", image
        width, height = (max(1, int(side * _SHRINK)) for side in image.size)
        image = image.resize((width, height))


def _save(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _first_line(error: Exception) -> str:
    text = str(error).partition("\n")[0].partition(" <_io")[0].strip().rstrip(".")
    return text[:120] or type(error).__name__
