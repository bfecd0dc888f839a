"""Gres: Slurm's spelling of GPUs, `gpu:TYPE:COUNT`."""

from __future__ import annotations

import re

from curc_llm.errors import SpecError


def render_gres(gres_type: str, count: int) -> str:
    """What `--gres` is given; empty without GPUs.

    Args:
        gres_type: Slurm's name of the GPU type; empty where GPUs have none.
        count: GPUs of each node.

    Example:
        >>> render_gres("l40", 2), render_gres("", 4), render_gres("", 0)
        ('gpu:l40:2', 'gpu:4', '')
    """
    return ":".join(part for part in ("gpu", gres_type, str(count)) if part) if count else ""


def parse_gres(gres: str) -> tuple[str, int]:
    """The type and the count of a `--gres`; a missing count is 1, a missing type is empty.

    Raises:
        SpecError: it isn't one kind of GPU.

    Example:
        >>> parse_gres("gpu:a100_80gb:2"), parse_gres("gpu:4"), parse_gres("")
        (('a100_80gb', 2), ('', 4), ('', 0))
    """
    if not gres:
        return "", 0
    found = re.fullmatch(r"gpu(?::(?P<type>[A-Za-z][\w.+-]*))?(?::(?P<count>\d+))?", gres)
    if found is None:
        raise SpecError(f"{gres!r} isn't one kind of GPU as Slurm writes it.", "Write it as gpu:TYPE:COUNT.")
    return found["type"] or "", int(found["count"] or 1)
