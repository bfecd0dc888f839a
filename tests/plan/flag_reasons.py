"""Why each flag of vLLM stands in a command line, for docs/presets.md."""

from __future__ import annotations

from curc_llm.plan.presets import Preset

GOALS = {
    "balanced": "2,048 on small GPUs and A100, 8,192 on large ones: vLLM's own defaults by memory",
    "throughput": "large, since batches are what counts: more prompt tokens in each step",
    "latency": "small, so that no long prompt holds up the tokens of others for long",
    "long-context": "large, so that a long prompt is read in few steps",
    "development": "small: it takes the least memory to work in",
}
# What holds for each preset alike.
REASONS = {
    "--model": "the weights that were chosen: the finest that fit with room for the context and the requests",
    "--served-model-name": "what the API calls it, whatever the weights are",
    "--revision": "one commit, so that a repeat runs the same weights",
    "--gpu-memory-utilization": "our default; vLLM's own 0.92 leaves less to CUDA and other libraries",
    "--tensor-parallel-size": "GPUs of a node share each layer, which answers fastest; it divides the heads",
    "--pipeline-parallel-size": "stages: over nodes, or where tensor parallelism can't use the count of GPUs",
    "--data-parallel-size": "whole copies of the model share the requests: they need not talk to each other",
    "--enable-expert-parallel": "whole experts on each GPU: copies share them; a slice may cut fp8's blocks",
    "--quantization": "16-bit weights are turned into FP8 as they are loaded",
    "--kv-cache-dtype": "half the KV cache's memory, where the GPU computes with it",
    "--trust-remote-code": "the model brings code of its own",
    "--tool-call-parser": "reads this model's tool calls; the name is vLLM's for its family",
    "--enable-auto-tool-choice": "lets the model choose a tool; vLLM refuses it without a parser",
    "--reasoning-parser": "takes the model's thoughts apart from its answer",
    "--scheduling-policy": "who chats goes before a batch: the gateway gives each request its priority",
    "--seed": "vLLM's own default, written down for repeats",
    "--nnodes": "one copy of the model over all nodes of the job, by vLLM's own processes",
    "--node-rank": "which of the nodes this is",
    "--master-addr": "the first node, on the network that the nodes share (`network` of the site file)",
    "--master-port": "a free one there, chosen when the job starts",
    "--headless": "only the first node has a server; vLLM on the others works for it",
    "--data-parallel-size-local": "copies on this node",
    "--data-parallel-address": "the first node, whose server deals the requests to all copies",
    "--data-parallel-rpc-port": "a free one there, chosen when the job starts",
    "--data-parallel-start-rank": "the first of this node's copies",
    "--allowed-media-domains": "none: a caller could make vLLM fetch any address that the node reaches",
    "--uds": "a unix socket in a folder of mode 0700: other users of the node can't reach it",
    "--disable-uvicorn-access-log": "requests are the gateway's to log",
    "--disable-fastapi-docs": "pages that nobody can reach",
    "--shutdown-timeout": "seconds that running answers get to finish when the session ends",
}


def explain_flag(flag: str, preset: Preset) -> str:
    """One line, with what the preset has to do with it.

    Raises:
        KeyError: nobody has written down why the flag is there.
    """
    if flag == "--max-model-len":
        wanted = f"{preset.max_model_len:,} tokens, as the preset wants" if preset.max_model_len else ""
        wanted = wanted or "32,768 tokens, the default for chats"
        return f"{wanted}, or less where the model or the memory ends before: one request may have so many"
    if flag == "--max-num-seqs":
        wanted = f"{preset.max_num_seqs}, as the preset wants" if preset.max_num_seqs else "16, the default"
        return f"{wanted}: so many answers are written at once, the rest waits"
    if flag == "--max-num-batched-tokens":
        return f"tokens of one step: {GOALS[preset.goal]}"
    if flag == "--enforce-eager":
        return "no CUDA graphs: the start is minutes shorter, answers are slower"
    return REASONS[flag]
