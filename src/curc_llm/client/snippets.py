"""Ready-to-paste ways to reach a session. Each reads the key from its file, where others can't see it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

from curc_llm.client.snippet_target import Target
from curc_llm.client.snippets_python import (
    render_curc_llm,
    render_langchain,
    render_litellm,
    render_llamaindex,
    render_python,
)
from curc_llm.client.source import root_url
from curc_llm.session.key_source import KeySource

__all__ = ["FORMATS", "TITLES", "Target", "render_snippets"]


def render_curl(target: Target) -> str:
    """A curl command for any POSIX shell; the key reaches curl by a pipe, so `ps` never shows it."""
    body = {"model": target.model, "messages": [{"role": "user", "content": "Hello"}]}
    url = shlex.quote(target.base_url + "/chat/completions")
    return (
        f"{KeySource(target.key_file).to_shell()} |\n"
        f"  curl -sS -H @- -H 'Content-Type: application/json' {url} \\\n"
        f"    -d {shlex.quote(json.dumps(body))}"
    )


def render_continue(target: Target) -> str:
    """A model for Continue's config.yaml. A JSON string is a YAML string too, so names are quoted as JSON."""
    length = (
        f"\n    defaultCompletionOptions:\n      contextLength: {target.max_model_len}"
        if target.max_model_len
        else ""
    )
    return f"""\
# In ~/.continue/config.yaml. The key goes into ~/.continue/.env, which these commands do:
#   (umask 077; env=~/.continue/.env; touch "$env" && {{ grep -v '^CURC_LLM_API_KEY=' "$env"
#     sed 's/^/CURC_LLM_API_KEY=/' {shlex.quote(target.key_file)}; }} > "$env.new" && mv "$env.new" "$env")
name: curc-llm
version: 0.0.1
schema: v1
models:
  - name: {json.dumps(target.model)}
    provider: openai
    model: {json.dumps(target.model)}
    apiBase: {json.dumps(target.base_url)}
    apiKey: ${{{{ secrets.CURC_LLM_API_KEY }}}}
    roles: [chat, edit, apply]{length}"""


def render_cline(target: Target) -> str:
    """What to enter in Cline's settings."""
    length = target.max_model_len
    short = bool(length and length < 32768)
    warning = (
        "\n# Cline needs 32768 tokens or more: this model's context is too short for it." if short else ""
    )
    return f"""\
# In Cline's settings (the wheel in its panel):
API Provider:         OpenAI Compatible
Base URL:             {target.base_url}
API Key:              what this prints: cat {shlex.quote(target.key_file)}
Model ID:             {target.model}
Context Window Size:  {length or "see curc-llm status"}{warning}"""


def render_jupyter_ai(target: Target) -> str:
    """What to enter in Jupyter AI 3 (its experimental Jupyternaut asks models through LiteLLM)."""
    return f"""\
# pip install 'jupyter-ai[jupyternaut]', then in JupyterLab: Settings > Jupyternaut Settings
Chat model:           hosted_vllm/{target.model}
Model parameter:      api_base (string) = {target.base_url}
Secret:               HOSTED_VLLM_API_KEY = what this prints: cat {shlex.quote(target.key_file)}"""


def render_tunnel(target: Target) -> str:
    """Ways from a laptop to the session's node, keeping the port."""
    port = root_url(target.base_url).rpartition(":")[2].partition("/")[0]
    port = port if port.isdigit() else "PORT"
    address = root_url(target.base_url).partition("//")[2].rpartition(":")[0]
    use = f"# then use http://127.0.0.1:{port}/v1"
    if address == "127.0.0.1":  # a gateway on loopback can only be reached by logging in on its own machine
        return f"ssh -N -L {port}:127.0.0.1:{port} {target.host}   {use}"
    watched = f"curc-llm tunnel --host {target.host} --port {port} --login-host {target.login}"
    return f"{watched}\n# or without curc-llm:\nssh -N -L {port}:{target.host}:{port} {target.login}\n{use}"


FORMATS: dict[str, Callable[[Target], str]] = {
    "curl": render_curl,
    "python": render_python,
    "curc_llm": render_curc_llm,
    "langchain": render_langchain,
    "llamaindex": render_llamaindex,
    "litellm": render_litellm,
    "jupyter-ai": render_jupyter_ai,
    "continue": render_continue,
    "cline": render_cline,
    "tunnel": render_tunnel,
}
TITLES = {
    "curl": "Shell",
    "python": "Python (openai)",
    "curc_llm": "Python (curc_llm)",
    "langchain": "LangChain",
    "llamaindex": "LlamaIndex",
    "litellm": "LiteLLM",
    "jupyter-ai": "Jupyter AI",
    "continue": "Continue (VS Code, JetBrains)",
    "cline": "Cline (VS Code)",
    "tunnel": "From your own computer",
}


def render_snippets(target: Target) -> dict[str, str]:
    """All snippets by the names of `FORMATS`; their headings are in `TITLES`."""
    return {name: render(target) for name, render in FORMATS.items()}
