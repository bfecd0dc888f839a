"""Model: what the catalogue knows of one model, in all its published quantisations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from curc_llm.catalogue.architecture import Architecture
from curc_llm.factfile import Fact, Frozen, Source

Use = Literal["chat", "code", "reasoning", "vision", "audio", "embeddings", "base"]
# What a checkpoint's weights are in. `-int4` and `-int8` are weight-only unless w8a8 is said.
Format = Literal[
    "fp32",
    "bf16",
    "fp16",
    "fp8",
    "int8-w8a8",
    "awq-int4",
    "gptq-int4",
    "gptq-int8",
    "w4a16",
    "mxfp4",
    "nvfp4",
]


class Weights(Fact):
    """One published set of a model's weights.

    Args:
        hub_id: Hugging Face id.
        revision: commit hash, where known.
        weight_bytes: bytes of its safetensors as published; None: computed from the parameters.
        format: what the weights are in.
        gated: True when the hub asks people to accept terms first; None: as the model says.
        site_path: folder below the site's models_dir, where the centre keeps it.
        min_compute_capability: only where this model needs more than its format does (missing kernels).
        brings_kv_scales: True when vLLM reads scales for an FP8 KV cache with them, as of every quant_method
            `fp8` and `modelopt`; None: not known.
    """

    source: str = ""
    hub_id: str
    revision: str | None = None
    weight_bytes: int | None = Field(default=None, ge=1)
    format: Format
    gated: bool | None = None
    site_path: str = ""
    min_compute_capability: float | None = None
    brings_kv_scales: bool | None = None


class Defaults(Frozen):
    """Settings with which a model is served unless people say otherwise."""

    max_model_len: int | None = Field(default=None, ge=16)
    max_num_seqs: int | None = Field(default=None, ge=1)
    kv_cache_dtype: str | None = None


class CatalogueAdapter(Frozen):
    """A LoRA adapter that the catalogue knows for a model.

    Args:
        title: what it is good for, in a few words.
        hub_id: Hugging Face id; empty for one in a folder.
        folder: its folder; empty for one of the hub.
        revision: commit hash, where known.
        rank: the largest of its ranks, where known.
        target_modules: the layers that it changes, where known.
        licence: its name; SPDX where there is one.
    """

    title: str = ""
    hub_id: str = ""
    folder: str = ""
    revision: str | None = None
    rank: int | None = Field(default=None, ge=1)
    target_modules: tuple[str, ...] = ()
    licence: str = ""

    @property
    def source(self) -> str:
        """Where it is: its folder, else its Hugging Face id."""
        return self.folder or self.hub_id

    @model_validator(mode="after")
    def _has_one_source(self) -> CatalogueAdapter:
        if bool(self.hub_id) == bool(self.folder):
            raise ValueError("an adapter needs either hub_id or folder")
        return self


class Model(Fact):
    """One model.

    Args:
        title: name for people.
        uses: what it is good for, the main use first.
        licence: its name; SPDX where there is one.
        licence_note: one sentence, where the licence restricts research use, else empty.
        gated: True when the hub asks people to accept terms first.
        modalities: what may go in besides text.
        max_context_tokens: the longest context that it was made for (without extra settings).
        architecture: the numbers that memory follows from.
        weights: published quantisations; the first is the one that is planned when none is named.
        has_chat_template: False for base models: then only /v1/completions makes sense.
        tool_call_parser, reasoning_parser: vLLM's names; None when it has none.
        trust_remote_code: True when vLLM needs code that comes with the model.
        min_vllm_version: the first that knows the architecture, where known.
        is_estimate: True when the parameters were computed from config.json alone.
        assumed: what had to be assumed, in sentences; for models that are not in the catalogue.
        folder: the local folder that it was read from, else empty.
        adapters: LoRA adapters for it, by the names under which they are served.
        vllm_refusal: why vLLM is certain to refuse it, in one sentence; empty for all that it serves.
    """

    title: str
    uses: tuple[Use, ...]
    licence: str = ""
    licence_note: str = ""
    gated: bool = False
    modalities: tuple[Literal["image", "video", "audio"], ...] = ()
    max_context_tokens: int = Field(ge=16)
    architecture: Architecture
    weights: tuple[Weights, ...] = Field(min_length=1)
    has_chat_template: bool = True
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    trust_remote_code: bool = False
    min_vllm_version: str | None = None
    defaults: Defaults = Defaults()
    is_estimate: bool = False
    assumed: tuple[str, ...] = ()
    folder: str = ""
    adapters: dict[str, CatalogueAdapter] = {}
    vllm_refusal: str = ""


class Catalogue(Frozen):
    """Models by short name, such as `llama-3.1-8b-instruct`.

    Args:
        broken: entries of users' files that can't be read just now, such as a folder that is gone, and why.
    """

    version: Literal[1] = 1
    sources: dict[str, Source] = {}
    models: dict[str, Model]
    broken: dict[str, str] = {}
