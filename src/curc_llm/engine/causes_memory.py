"""Failures for want of memory or disk. Texts of vLLM 0.32 and torch 2.13 unless said otherwise."""

from __future__ import annotations

from curc_llm.engine.cause import cause

MORE_MEMORY = "Ask for more memory with the job (mem_per_gpu_gib): at least the size of the model's files."
LESS_MEMORY = (
    "Use more or larger GPUs (tensor_parallel_size), a quantised copy of the model, or a smaller model."
)

MEMORY_CAUSES = (
    # v1/core/kv_cache_utils.py
    cause(
        "kv_cache_too_small",
        r"max seq len \((?P<wanted>\d+)\).*?available KV cache memory \((?P<gib>[\d.]+) GiB\)"
        r".*?estimated maximum model length is (?P<fits>\d+)",
        "A context of {wanted} tokens needs more memory than is left beside the weights ({gib} GiB);"
        " {fits} tokens would fit.",
        "Set max_model_len to {fits} or less, or use more GPU memory.",
    ),
    cause(
        "kv_cache_too_small",
        r"max seq len \((?P<wanted>\d+)\).*?available KV cache memory \((?P<gib>[\d.]+) GiB\)",
        "A context of {wanted} tokens needs more memory than is left beside the weights ({gib} GiB).",
        "Set max_model_len lower, or use more GPU memory.",
    ),
    cause(
        "no_kv_cache",
        r"No available memory for the cache blocks",
        "The model's weights fill the memory, so none is left for conversations.",
        LESS_MEMORY,
    ),
    # v1/worker/utils.py: another process, or what an earlier engine left, holds the GPU.
    cause(
        "gpu_busy",
        r"Free memory on device\s+(?P<device>\S*)\s*\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup",
        "Only {free} of the GPU's {total} GiB are free: another process uses this GPU.",
        "See nvidia-smi for what it is; on a GPU that you share, set gpu_memory_utilization lower.",
    ),
    cause(
        "out_of_memory",
        r"CUDA out of memory occurred when warming up \w+ with (?P<seqs>\d+)",
        "The GPU ran out of memory while the engine tried {seqs} requests at once.",
        "Set max_num_seqs or gpu_memory_utilization lower.",
    ),
    cause(
        "out_of_memory_loading",
        r"(?s)load_model(?:(?!capture_model|profile_run).)*?CUDA out of memory\. Tried to allocate"
        r" (?P<size>[\d.]+ \w+)\. GPU \d+ has a total capacity of (?P<total>[\d.]+ \w+)",
        "The model's weights don't fit into the GPU's {total}.",
        LESS_MEMORY,
    ),
    cause(
        "out_of_memory_compiling",
        r"(?s)(?:capture_model|compile_or_warm_up_model).*?CUDA out of memory",
        "The GPU ran out of memory while the engine was being compiled (CUDA graphs).",
        "Set gpu_memory_utilization or max_num_seqs lower; enforce_eager saves the most, but is slower.",
    ),
    cause(
        "out_of_memory",
        r"CUDA out of memory\. Tried to allocate (?P<size>[\d.]+ \w+)\. GPU \d+ has a total capacity of"
        r" (?P<total>[\d.]+ \w+)",
        "The GPU's {total} ran out of memory ({size} more were asked for).",
        "Set gpu_memory_utilization, max_num_seqs or max_model_len lower.",
    ),
    cause(
        "out_of_memory",
        r"CUDA out of memory|torch\.OutOfMemoryError|CUDA error: out of memory",
        "The GPU ran out of memory.",
        "Set gpu_memory_utilization, max_num_seqs or max_model_len lower.",
    ),
    # v1/worker/cpu_worker.py
    cause(
        "kv_cache_too_large",
        r"Available memory on node \d+ \((?P<free>[\d.]+)/[\d.]+ GiB\) on kv cache allocation is less than"
        r" requested memory for kv \((?P<wanted>[\d.]+) GiB\)",
        "The engine should set {wanted} GiB aside for conversations, but only {free} GiB of memory are free.",
        "Set VLLM_CPU_KVCACHE_SPACE lower (GiB), or ask for more memory (mem_per_gpu_gib).",
    ),
    cause(
        "host_memory",
        r"(?m)DefaultCPUAllocator: (?:can't|not enough memory).*?allocate (?P<bytes>\d+) bytes|^MemoryError",
        "The machine's own memory (not the GPU's) ran out.",
        MORE_MEMORY,
    ),
    cause(
        "host_memory",
        r"[Oo]ut of memory: Killed process|oom-kill|OOM ?[Kk]illed|Detected \d+ oom.kill",
        "The system ended the engine because the machine's (or the job's) memory ran out.",
        MORE_MEMORY,
    ),
    cause(
        "disk_full",
        r"\[Errno 28\]|No space left on device(?!.*shm)|\[Errno 122\]|Disk quota exceeded",
        "No room is left on the disk, or your quota is used up.",
        "Delete what you don't need, or set cache_dir and hf_home to a larger file system (not your home).",
    ),
    cause(
        "shared_memory",
        r"(?i)unable to (?:open|write|mmap|allocate) shared memory|/dev/shm.*No space|Bus error",
        "The shared memory (/dev/shm) is full or too small for the engine's processes.",
        "Ask for more memory with the job; in a container start it with a larger --shm-size.",
    ),
)
