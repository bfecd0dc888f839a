"""Flags: vLLM's settings by their names become its command line. The one place where that is done."""

from __future__ import annotations

from collections.abc import Mapping

Value = str | float | bool | None


def render_flags(fields: Mapping[str, Value]) -> list[str]:
    """The flags for settings named as in vLLM's own `EngineArgs`, in the order of `fields`.

    A flag is the name with dashes (vLLM makes its own flags so: vllm/engine/arg_utils.py). True becomes a
    switch; False and None are left out, since they mean vLLM's default.

    Args:
        fields: values by vLLM's names, such as `max_model_len`.

    Example:
        >>> render_flags({"max_model_len": 32768, "enforce_eager": True, "seed": None})
        ['--max-model-len', '32768', '--enforce-eager']
    """
    return [part for name, value in fields.items() for part in _render_flag(name, value)]


def _render_flag(name: str, value: Value) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    text = str(value)
    # A value that begins with a dash would be taken for the next flag.
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
