"""Adapters that come and go while their engine runs: every replica of the model has the same."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curc_llm.engine.probe import EngineAnswer, ask
from curc_llm.errors import AdapterError
from curc_llm.job.adapter_files import fetch_adapter, look_at
from curc_llm.job.board import Board
from curc_llm.job.engine_keeper import EngineKeeper
from curc_llm.launch.adapters import find_catalogue_entry, resolve_adapter
from curc_llm.session.record import EnginePhase, EngineRecord
from curc_llm.spec import Adapter, LaunchSpec
from curc_llm.spec.adapter import check_adapter_name, check_rank
from curc_llm.spec.model_folder import find_downloaded

LOAD_S = 300.0  # reading a large adapter from a slow file system; vLLM answers when it is loaded


class Adapting:
    """Adds and removes adapters.

    Args:
        spec: the session's.
        board: where they are shown.
        keepers: gives the engines as they are now.
        links_dir: a private folder for links to adapters' folders, which all nodes of the job see.
    """

    def __init__(
        self, spec: LaunchSpec, board: Board, keepers: Callable[[], Sequence[EngineKeeper]], links_dir: Path
    ) -> None:
        self._spec = spec
        self._board = board
        self._keepers = keepers
        self._links_dir = links_dir
        self._lock = asyncio.Lock()

    async def add(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Loads an adapter into every replica of its model.

        Args:
            fields: `name`, `source` (folder, hub id, or a name of the catalogue) and `model` (may be empty).

        Raises:
            AdapterError: it can't be served, or the model takes none now; nothing has changed then.
            ModelDownloadError: it can't be had from the hub.
        """
        async with self._lock:
            self._check_name(fields["name"])
            engines = self._choose_engines(fields.get("model", ""))
            adapter, folder = await self._prepare(fields, engines[0])
            if engines != self._choose_engines(engines[0].name):  # fetching may have taken long
                message = f"The model {engines[0].name} was exchanged meanwhile."
                raise AdapterError(message, "Try again.", code="model_loading")
            await self._load(adapter, folder, engines)
            for keeper in engines:
                keeper.keep_adapters((*keeper.engine.adapters, adapter))
        return 200, {"name": adapter.name, "model": engines[0].name, "rank": adapter.rank, "status": "loaded"}

    async def remove(self, fields: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Unloads an adapter from every replica of its model; requests that it answers end well.

        Raises:
            AdapterError: there is no such adapter.
        """
        name = fields["name"]
        async with self._lock:
            having = [k for k in self._keepers() if name in {a.name for a in k.engine.adapters}]
            if not having:
                names = ", ".join(a.name for k in self._keepers() for a in k.engine.adapters) or "none"
                raise AdapterError(
                    f"There is no adapter {name!r}.", f"Adapters here: {names}.", code="adapter_not_found"
                )
            for keeper in having:
                keeper.keep_adapters(tuple(a for a in keeper.engine.adapters if a.name != name))
                await self._unload(keeper, name)
        return 200, {"name": name, "model": having[0].name, "status": "removed"}

    def _check_name(self, name: str) -> None:
        check_adapter_name(name)
        models = {keeper.name for keeper in self._keepers()}
        adapters = {adapter.name for keeper in self._keepers() for adapter in keeper.engine.adapters}
        if name in models | adapters:
            what = "a model" if name in models else "an adapter"
            remedy = (
                "Choose another name."
                if name in models
                else f"Remove it first: curc-llm adapter remove {name}"
            )
            message = f"{name!r} is {what} of this session already."
            raise AdapterError(message, remedy, code="adapter_name")

    def _choose_engines(self, model: str) -> list[EngineKeeper]:
        """All replicas of the model that is meant: the one that was named, or the only one with LoRA.

        Raises:
            AdapterError: none is meant clearly, or it can take no adapter now.
        """
        keepers = list(self._keepers())
        taking = [k for k in keepers if self._record(k).max_loras] or keepers
        names = list(dict.fromkeys(keeper.name for keeper in taking))
        known = list(dict.fromkeys(keeper.name for keeper in keepers))
        if (model and model not in known) or (not model and len(names) > 1):
            text = f"There is no model {model!r}." if model else "Which model the adapter is for wasn't said."
            raise AdapterError(text, f"Name one with --model: {', '.join(known)}.", code="adapter_not_found")
        chosen = [keeper for keeper in keepers if keeper.name == (model or names[0])]
        for keeper in chosen:
            _check_takes_adapters(self._record(keeper))
        return chosen

    async def _prepare(self, fields: dict[str, str], keeper: EngineKeeper) -> tuple[Adapter, Path]:
        """The adapter and its folder, once it is sure that the engine can serve it."""
        entry = await asyncio.to_thread(find_catalogue_entry, keeper.engine)
        adapter = resolve_adapter(f"{fields['name']}={fields['source']}", entry)
        spec, engine, record = self._spec, keeper.engine, self._record(keeper)
        folder = await fetch_adapter(adapter, hf_home=spec.hf_home, offline=spec.offline)
        model: Path | None = Path(engine.model)
        if not engine.is_local:
            model = find_downloaded(spec.hf_home, engine.model, record.revision or engine.revision)
        known = (entry[0], *(weights.hub_id for weights in entry[1].weights)) if entry is not None else ()
        adapter = await asyncio.to_thread(look_at, adapter, folder, engine, model, *known)
        check_rank(adapter, record.max_lora_rank)
        return adapter, folder

    async def _load(self, adapter: Adapter, folder: Path, engines: list[EngineKeeper]) -> None:
        """Into each engine, or into none."""
        link = self._make_link(adapter.name, folder)
        for place, keeper in enumerate(engines):
            body = {"lora_name": adapter.name, "lora_path": str(link)}
            answer = await ask(keeper.socket, "POST", "/v1/load_lora_adapter", body, timeout_s=LOAD_S)
            if answer.status == 200:
                continue
            for done in engines[:place]:
                await self._unload(done, adapter.name)
            why = _explain(answer)
            raise AdapterError(f"vLLM can't load the adapter {adapter.name}: {why}", "See: curc-llm logs")

    def _make_link(self, name: str, folder: Path) -> Path:
        """Another path each time: vLLM's prefix cache tells adapters apart by name and path, not by content.

        (vllm/v1/core/kv_cache_utils.py, _gen_lora_extra_hash_keys.) One that was trained anew and added again
        under its old name would otherwise go on from what the old one had computed.
        """
        self._links_dir.mkdir(mode=0o700, exist_ok=True)
        link = self._links_dir / f"{name}-{secrets.token_hex(6)}"
        link.symlink_to(folder)
        return link

    async def _unload(self, keeper: EngineKeeper, name: str) -> None:
        await ask(keeper.socket, "POST", "/v1/unload_lora_adapter", {"lora_name": name}, timeout_s=LOAD_S)

    def _record(self, keeper: EngineKeeper) -> EngineRecord:
        return self._board.record.engines[keeper.index]


def _check_takes_adapters(record: EngineRecord) -> None:
    """Raises AdapterError when an engine can't load an adapter now."""
    name = record.served_model_name
    if record.phase is not EnginePhase.READY:
        message = f"The model {name} is {record.phase}: adapters can be added once it is ready."
        raise AdapterError(message, "Try again then.", code="model_loading")
    if not record.max_loras:
        raise AdapterError(
            f"The model {name} was started without room for adapters.",
            f"Start it with --max-loras 1, or in this session: curc-llm swap {name} --max-loras 1",
            code="adapter_room",
        )


def _explain(answer: EngineAnswer) -> str:
    """What vLLM says of a failure, in one line."""
    told = answer.json()
    error = told.get("error") if isinstance(told, dict) else None
    text = str(error.get("message") if isinstance(error, dict) else "") or "it gave no answer."
    return " ".join(text.split())[:500]
