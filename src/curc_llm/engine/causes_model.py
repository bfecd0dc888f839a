"""Failures that lie in the model or in how it should be served. Texts of vLLM 0.32 and transformers 5."""

from __future__ import annotations

from curc_llm.engine.cause import cause

MODEL_CAUSES = (
    cause(
        "context_too_long",
        r"User-specified max_model_len \((?P<wanted>\d+)\) is greater than the derived max_model_len"
        r" \(\w+=(?P<limit>\d+)",
        "The model's longest context is {limit} tokens, but max_model_len asks for {wanted}.",
        "Set max_model_len to {limit} or less, or leave it empty.",
    ),
    cause(
        "tensor_parallel",
        r"Total number of attention heads \((?P<heads>\d+)\)\s+must be divisible by tensor parallel size"
        r"\s+\((?P<size>\d+)\)",
        "The model has {heads} attention heads, which can't be shared by {size} GPUs.",
        "Set tensor_parallel_size to a number that divides {heads}.",
    ),
    cause(
        "too_few_gpus",
        r"World size \((?P<size>\d+)\) is larger than the number of\s+available GPUs \((?P<gpus>\d+)\)",
        "The engine should use {size} GPUs, but this job has {gpus}.",
        "Ask for {size} GPUs (num_gpus), or set tensor_parallel_size to {gpus}.",
    ),
    cause(
        "quantization_unsupported",
        r"quantization method (?P<name>\S+) is not supported for the current GPU\. Minimum capability:"
        r" (?P<min>\d+)\. Current capability: (?P<now>\d+)",
        "This GPU (compute capability {now}) is too old for {name}, which needs {min}.",
        "Use a newer type of GPU, or the model without this quantisation.",
    ),
    cause(
        "quantization_unsupported",
        r"Quantization scheme is not supported for\s+the current GPU\. Min capability: (?P<min>\d+)\."
        r"\s+Current capability: (?P<now>\d+)",
        "This GPU (compute capability {now}) is too old for the model's quantisation, which needs {min}.",
        "Use a newer type of GPU, or the model without this quantisation.",
    ),
    cause(
        "quantization_unknown",
        r"Unknown quantization method: (?P<name>[\w-]+)|Cannot find the config file for (?P<awq>\w+)",
        "The model can't be served with this quantisation.",
        "Leave quantization empty: vLLM reads it from the model.",
    ),
    cause(
        "dtype_unsupported",
        r"Bfloat16 is only supported on GPUs .*? Your (?P<gpu>.+?) GPU (?:has|does)",
        "The {gpu} has no bfloat16, which this model asks for.",
        "Set dtype to float16.",
    ),
    cause(
        "dtype_unsupported",
        r"FP8 KV cache on CPU requires|fp8 (?:kv.cache|is not supported)",
        "This machine can't keep conversations in FP8.",
        "Leave kv_cache_dtype empty.",
    ),
    cause(
        "remote_code",
        r"repository (?P<model>\S+) contains custom code which must be executed|trust_remote_code=True",
        "The model brings its own program code, which is not run unless you allow it.",
        "Read that code first; if you trust its authors, set trust_remote_code to true for this model.",
    ),
    cause(
        "unknown_architecture",
        r"model type `(?P<name>[^`]+)` but Transformers does not recognize",
        "This version of vLLM doesn't know models of type {name}.",
        "Update vLLM in the engine's environment, or choose another model.",
    ),
    cause(
        "unknown_architecture",
        r"Model architectures \[(?P<name>[^\]]+)\] are not supported",
        "This version of vLLM doesn't know the architecture {name}.",
        "Update vLLM in the engine's environment, or choose another model.",
    ),
    cause(
        "inspection_failed",
        r"Model architectures \[(?P<name>[^\]]+)\] failed\s+to be inspected",
        "vLLM could not start its check of the architecture {name}; often the GPUs are not visible.",
        "See curc-llm logs for what stands above; CUDA_VISIBLE_DEVICES must hold numbers, such as 0,1.",
    ),
    cause(
        "tool_parser",
        r"invalid tool call parser: (?P<name>\S+)",
        "There is no tool_call_parser {name}.",
        "curc-llm logs lists the parsers that exist; the model's card says which it needs.",
    ),
    cause(
        "reasoning_parser",
        r"Reasoning parser '(?P<name>[^']+)' not found|invalid reasoning parser: (?P<other>\S+)",
        "There is no reasoning_parser {name}.",
        "curc-llm logs lists the parsers that exist; the model's card says which it needs.",
    ),
    cause(
        "chat_template",
        r"chat template string \((?P<path>[^)]*)\) (?:appears path-like|looks like a file path)",
        "The chat template {path} doesn't exist.",
        "Correct chat_template, or leave it empty: most models bring their own.",
    ),
    cause(
        "chat_template",
        r"default chat template is no longer allowed|does not have a chat template|chat_template is not set",
        "The model has no chat template, so it can't chat.",
        "Use its instruct (chat) version, or set chat_template to a file.",
    ),
    cause(
        "chat_template",
        r"jinja2\.exceptions\.TemplateSyntaxError: (?P<why>.+)",
        "The chat template is broken: {why}.",
        "Correct the file that chat_template names, or leave it empty.",
    ),
    cause(
        "weights_broken",
        r"SafetensorError: (?:Error while deserializing header: )?(?P<why>.+)",
        "A file with the model's weights is broken or incomplete ({why}).",
        "Fetch the model again; after git clone, run git lfs pull in its folder.",
    ),
    cause(
        "weights_missing",
        r"Weight files referenced in index but missing: \{(?P<path>[^}]+)\}",
        "Files with the model's weights are missing: {path}.",
        "Fetch the model again.",
    ),
    cause(
        "weights_missing",
        r"Cannot find any model weights with `(?P<path>[^`]+)`",
        "{path} holds no weights.",
        "Fetch the model again, or name another folder.",
    ),
    cause(
        "weights_missing",
        r"FileNotFoundError: No such file or directory: (?P<path>\S+\.safetensors)",
        "{path} is missing, or you may not read it.",
        "Check the file's permissions, or fetch the model again.",
    ),
    cause(
        "weights_mismatch",
        r"size of tensor a \(\d+\) must match the size of tensor b|Attempted to load weight \(",
        "The weights don't fit the model's config.json.",
        "Fetch the model again: its files come from different versions.",
    ),
    cause(
        "tokenizer_missing",
        r"Couldn't instantiate the backend tokenizer|Can't load tokenizer for|Unrecognized processing class",
        "The model's tokenizer is missing or can't be read.",
        "Fetch the model again, tokenizer files included.",
    ),
    cause(
        "model_config",
        r"config file at '(?P<path>[^']+)' is not a valid JSON",
        "{path} is broken.",
        "Fetch the model again.",
    ),
    cause(
        "not_a_model",
        r"Invalid repository ID or local directory specified: '(?P<path>[^']+)'",
        "{path} is not a model: it holds no config.json that vLLM can read.",
        "Name the folder that holds config.json, or a Hugging Face id.",
    ),
    cause(
        "model_missing",
        r"Repo id must be in the form .*?: '(?P<path>/[^']+)'",
        "There is no model in {path}.",
        "Check the folder's name, and that this node can see it.",
    ),
)  # fmt: skip
