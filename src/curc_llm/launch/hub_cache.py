"""What Hugging Face's cache on this machine holds of a model; the hub itself isn't asked."""

from __future__ import annotations

from pathlib import Path

from curc_llm.plan.plan import Plan
from curc_llm.spec import is_hub_id


def find_downloaded(hf_home: Path, hub_id: str, revision: str | None = None) -> Path | None:
    """The folder of a downloaded model; None when there is none.

    Args:
        hf_home: Hugging Face's folder.
        hub_id: the model.
        revision: a commit; None for the one that the main branch stood for at the last download.
    """
    if not is_hub_id(hub_id):
        return None
    # As huggingface_hub lays it out (file_download.py: repo_folder_name, refs, snapshots).
    cache = hf_home / "hub" / f"models--{hub_id.replace('/', '--')}"
    try:
        commit = revision or (cache / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    folder = cache / "snapshots" / commit
    return folder if (folder / "config.json").is_file() else None


def keep_downloaded(plan: Plan, hf_home: Path) -> Plan:
    """The plan without the catalogue's revision, where another one is here and that one isn't.

    A model that somebody has downloaded is served as it is, not fetched again.
    """
    if plan.revision is None or find_downloaded(hf_home, plan.hub_id, plan.revision) is not None:
        return plan
    is_here = find_downloaded(hf_home, plan.hub_id) is not None
    return plan.model_copy(update={"revision": None}) if is_here else plan
