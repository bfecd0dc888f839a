"""Where vLLM looks first; light, since it is imported before vLLM's platforms are."""

from __future__ import annotations


def register() -> str:
    return "vllm_cpu_ray.RayCpuPlatform"
