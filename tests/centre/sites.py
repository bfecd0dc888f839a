"""The test bed's site: Alpine as the bed has it, and changed by one figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from curc_llm.sites.load import SITES_DIR, load_site
from curc_llm.sites.site import Site


def render_bed_site(storage: str = "/tmp") -> str:
    """Alpine's file with what two nodes can't have: as many nodes, features, another processor."""
    text = (SITES_DIR / "alpine.yml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^    nodes: \d+", "    nodes: 2", text)
    text = re.sub(r"(?m)^    features: .*", "    features: []", text)
    text = text.replace("arch: aarch64", "arch: x86_64")
    text = text.replace("/projects/$USER/curc-llm", f"{storage}/$USER/state")
    text = text.replace("/scratch/alpine/$USER/curc-llm", f"{storage}/$USER/cache")
    return text.replace("$CURC_LLM_DIR/hf-transformers", storage)


def load_bed_site(folder: Path) -> Site:
    path = folder / "alpine.yml"
    path.write_text(render_bed_site(), encoding="utf-8")
    return load_site(str(path))


def change(site: Site, *place: str, value: Any) -> Site:
    """The site with one figure changed."""
    values = site.model_dump()
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return Site.model_validate(values)
