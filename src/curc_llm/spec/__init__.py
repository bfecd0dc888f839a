"""The LaunchSpec: all that a job is told. Frozen, JSON, versioned; the only contract with the job."""

from curc_llm.spec.adapter import Adapter, choose_lora_rank, make_adapter
from curc_llm.spec.engine import (
    DEMO_EMBED_NAME,
    DEMO_MODEL_NAME,
    EngineSpec,
    is_demo,
    make_engine_spec,
    place_engine,
    planned_fields,
    share_gpus,
)
from curc_llm.spec.launch import SPEC_VERSION, LaunchSpec, Origin, SlurmSpec, read_launch_spec
from curc_llm.spec.make import choose_models, make_launch_spec, make_repeat, make_session_id
from curc_llm.spec.model_folder import DEMO_MODEL_DIR, fingerprint_folder, is_hub_id
from curc_llm.spec.replicas import name_replicas

__all__ = [
    "DEMO_EMBED_NAME",
    "DEMO_MODEL_DIR",
    "DEMO_MODEL_NAME",
    "SPEC_VERSION",
    "Adapter",
    "EngineSpec",
    "LaunchSpec",
    "Origin",
    "SlurmSpec",
    "choose_lora_rank",
    "choose_models",
    "fingerprint_folder",
    "is_demo",
    "is_hub_id",
    "make_adapter",
    "make_engine_spec",
    "make_launch_spec",
    "make_repeat",
    "make_session_id",
    "name_replicas",
    "place_engine",
    "planned_fields",
    "read_launch_spec",
    "share_gpus",
]
