"""Failures that lie in the machine, the installation or the network. Texts of vLLM 0.32, torch 2.13, NCCL."""

from __future__ import annotations

from curc_llm.engine.cause import cause

MACHINE_CAUSES = (
    cause(
        "driver_too_old",
        r"NVIDIA driver on your system is too old|CUDA driver version is insufficient",
        "This node's NVIDIA driver is too old for this vLLM.",
        "Use another partition, or an engine environment that was built for an older CUDA.",
    ),
    cause(
        "gpu_unsupported",
        r"no kernel image is available for execution|sm_\d+ is not compatible with the current PyTorch",
        "This type of GPU is too old for this vLLM.",
        "Use a newer type of GPU.",
    ),
    cause(
        "no_gpu",
        r"No CUDA GPUs are available|Found no NVIDIA driver|Failed to infer device type"
        r"|Torch not compiled with CUDA enabled|libcuda\.so\.1: cannot open shared object",
        "No GPU can be used here: the job has none, or this Python's vLLM is not the CUDA build.",
        "Ask for a GPU (num_gpus), or set device to cpu; curc-llm doctor shows what is there.",
    ),
    cause(
        "no_nvcc",
        r"Could not find nvcc|nvcc: not found|No such file or directory: '?nvcc|nvcc fatal",
        "A part of vLLM (FlashInfer) wants to compile code for the GPU and finds no working CUDA compiler.",
        "Load a CUDA module before you start, or install flashinfer-cubin and flashinfer-jit-cache.",
    ),
    cause(
        "compiler_missing",
        r"Failed to find C compiler|(?:gcc|g\+\+|cc): (?:command )?not found|Python\.h: No such file",
        "Code has to be compiled for this machine, and a C compiler (or Python's headers) is missing.",
        "Load a compiler module before you start, or set enforce_eager.",
    ),
    cause(
        "nccl",
        r"(?P<why>NCCL error.+|ncclSystemError.*|ncclUnhandledCudaError.*|ncclInternalError.*)",
        "The GPUs could not talk to each other: {why}",
        "Start again; if it stays, set NCCL_DEBUG=INFO and see curc-llm logs.",
    ),
    cause(
        "port_in_use",
        r"\[Errno 98\]|[Aa]ddress already in use",
        "The engine's socket or one of its inner ports is in use.",
        "Start again.",
    ),
    cause(
        "cache_permission",
        r"PermissionError: \[Errno 13\] Permission denied: '(?P<path>[^']+)'",
        "{path} can't be written.",
        "Set cache_dir to a folder that you can write, and check who owns what is in it.",
    ),
    cause(
        "cache_permission",
        r"\[Errno 30\] Read-only file system: '(?P<path>[^']+)'",
        "{path} is on a file system that can't be written.",
        "Set cache_dir to a folder that you can write.",
    ),
    cause(
        "model_gated",
        r"(?:access|is) (?:to model \S+ is restricted|a gated repo)|GatedRepoError",
        "The model is gated: its owner gives it only to people who accept the conditions.",
        "Accept them on the model's page at huggingface.co, then store your token: curc-llm token",
    ),
    cause(
        "token_invalid",
        r"401 Client Error|Invalid credentials in Authorization header|Invalid user token",
        "The hub does not accept your Hugging Face token, or wants one.",
        "Make a new one and store it with: curc-llm token",
    ),
    cause(
        "model_not_found",
        r"(?:RepositoryNotFoundError|is not a local folder and is not a valid model identifier).*",
        "There is no such model on the hub, or it is private.",
        "Check the id's spelling.",
    ),
    cause(
        "hub_unreachable",
        r"We couldn't connect to '(?P<url>[^']+)' to load the files",
        "The hub at {url} can't be reached.",
        "Download the model first on a node that has internet.",
    ),
    cause(
        "model_not_cached",
        r"outgoing traffic has been disabled|OfflineModeIsEnabled|Cannot reach \S+: offline mode is enabled",
        "The engine wants something from the hub that is not on this machine, and it is offline.",
        "Download the model first, or name a folder that holds all of it.",
    ),
    cause(
        "start_timeout",
        r"Timed out waiting for engine core processes|did not respond within|Did not receive response from"
        r" front-end",
        "The engine took too long to start.",
        "Slow storage is the usual reason: copy the model to fast storage, or set start_timeout_min higher.",
    ),
    cause(
        "arguments",
        r"error: (?P<why>(?:unrecognized arguments|argument \S+|the following arguments).*)",
        "This vLLM doesn't understand how it was started: {why}.",
        "Update vLLM to a version that curc-llm supports; see curc-llm doctor.",
    ),
    cause(
        "vllm_missing",
        r"No module named '?vllm'?(?=['\s)]|$)",
        "The engine's Python has no vLLM.",
        "Set engine_python to the Python that has it; curc-llm doctor shows what is there.",
    ),
    cause(
        "package_missing",
        r"ModuleNotFoundError: No module named '(?P<name>[\w.]+)'",
        "The engine's Python lacks the package {name}.",
        "Install it beside vLLM; if it is there, look for older copies in ~/.local (PYTHONNOUSERSITE=1).",
    ),
    cause(
        "installation_broken",
        r"ImportError: (?P<why>.*(?:cannot open shared object|undefined symbol|GLIBC|cannot import name).*)",
        "The engine's Python environment doesn't fit this machine: {why}.",
        "Make the environment again on this kind of machine; unload modules that bring their own libraries.",
    ),
)  # fmt: skip
