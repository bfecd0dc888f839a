"""vLLM's CPU platform with what its Ray executor asks of a platform: the name of a resource of Ray's.

Without a GPU vLLM refuses Ray for want of that name alone. A folder on PYTHONPATH with this module and the
entry point beside it makes vLLM take it.
"""

from __future__ import annotations

from vllm.platforms.cpu import CpuPlatform


class RayCpuPlatform(CpuPlatform):
    # Only counted by Ray (`ray start --num-gpus`): no GPU need be there.
    ray_device_key = "GPU"
    device_control_env_var = "CUDA_VISIBLE_DEVICES"
