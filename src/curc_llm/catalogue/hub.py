"""What the model hub tells of a model: its config.json and the sizes of its files; the weights stay there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curc_llm.catalogue.config_json import model_from_config, read_config
from curc_llm.catalogue.model import Model
from curc_llm.errors import DownloadError, ModelNotFoundError

TIMEOUT_S = 10.0


class HubUnreachableError(DownloadError):
    """The hub can't be asked at all, so asking for another model is of no use."""


@dataclass(frozen=True)
class HubFacts:
    """What the hub says of one model.

    Args:
        hub_id: its id.
        revision: the commit that was looked at.
        gated: True when people must accept terms first.
        weight_bytes: of its weight files, headers included; 0 when it has none.
        config: config.json; empty when it has none or it may not be read.
    """

    hub_id: str
    revision: str
    gated: bool
    weight_bytes: int
    config: Mapping[str, Any] = field(default_factory=dict)


def read_hub(hub_id: str, revision: str | None = None) -> HubFacts:
    """Asks the hub about a model.

    Args:
        hub_id: such as `Qwen/Qwen3-8B`.
        revision: branch, tag or commit; None: the newest.

    Raises:
        HubUnreachableError: the hub doesn't answer, or huggingface_hub isn't installed.
        ModelNotFoundError: it has no such model or revision.
    """
    with _told(hub_id, revision):
        from huggingface_hub import HfApi

        api = HfApi(endpoint=_endpoint())
        info = api.model_info(hub_id, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        name = next((n for n in ("config.json", "params.json") if n in sizes), "")
        config = _read_config(api, hub_id, info.sha or revision, name)
    return HubFacts(hub_id, info.sha or "", bool(info.gated), sum_weights(sizes), config)


def read_hub_model(hub_id: str) -> Model:
    """A model that the catalogue doesn't know, from the hub: bytes exact, parameters estimated.

    Raises:
        HubUnreachableError: the hub doesn't answer.
        ModelNotFoundError: it has no such model, or it may not be read, or isn't one that can be served.
    """
    facts = read_hub(hub_id)
    if not facts.config:
        why = "is gated, so its config.json can't be read" if facts.gated else "has no config.json"
        raise ModelNotFoundError(
            f"{hub_id} {why}.",
            f"Accept its terms at {_endpoint()}/{hub_id} and store your token: curc-llm token"
            if facts.gated
            else "Check the id: adapters and GGUF files can't be served.",
        )
    if not facts.weight_bytes:
        raise ModelNotFoundError(f"{hub_id} has no weights that vLLM loads.", "Check the id.")
    model = model_from_config(facts.config, title=hub_id, hub_id=hub_id)
    exact = {"weight_bytes": facts.weight_bytes, "revision": facts.revision or None, "gated": facts.gated}
    weights = model.weights[0].model_copy(update=exact)
    return model.model_copy(update={"weights": (weights,), "gated": facts.gated, "is_estimate": False})


def sum_weights(sizes: Mapping[str, int]) -> int:
    """Bytes of the files that vLLM would load, by the names and sizes of all of a model's files.

    Example:
        >>> sum_weights({"model.safetensors": 9, "consolidated.safetensors": 9, "pytorch_model.bin": 9})
        9
    """
    top = {name: size for name, size in sizes.items() if "/" not in name}
    tensors = {name: size for name, size in top.items() if name.endswith(".safetensors")}
    whole = {name: size for name, size in tensors.items() if not name.startswith("consolidated")}
    torch = {n: size for n, size in top.items() if n.endswith(".bin") and n.startswith("pytorch_model")}
    return sum((whole or tensors or torch).values())


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def _read_config(api: Any, hub_id: str, revision: str | None, name: str) -> dict[str, Any]:
    """config.json, fetched into a folder that goes again; empty where it may not be read."""
    from huggingface_hub.errors import GatedRepoError

    if not name:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = api.hf_hub_download(hub_id, name, revision=revision, local_dir=folder)
        except GatedRepoError:
            return {}
        return read_config(Path(path))


@contextmanager
def _told(hub_id: str, revision: str | None) -> Iterator[None]:
    """Turns huggingface_hub's exceptions into sentences for people."""
    try:
        from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
    except ImportError as error:
        raise HubUnreachableError(
            "huggingface_hub isn't installed, so the hub can't be asked.", "Install curc-llm[serve]."
        ) from error
    try:
        yield
    except RevisionNotFoundError as error:
        raise ModelNotFoundError(f"{hub_id} has no revision {revision}.", "Leave it out.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFoundError(
            f"There is no model {hub_id} on the hub, or it is private and you can't see it.",
            "Check the id's spelling; for a private one store your token: curc-llm token",
        ) from error
    except ModelNotFoundError:
        raise
    except Exception as error:
        raise HubUnreachableError(
            f"{_endpoint()} can't be asked about {hub_id} ({type(error).__name__}).",
            "Run it where the internet can be reached (a login node), or name a folder with the model.",
        ) from error
