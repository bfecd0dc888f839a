"""Snippets for Python packages. Each reads the key from its file when it runs, so that none holds it."""

from __future__ import annotations

from curc_llm.client.snippet_target import Target
from curc_llm.session.key_source import KeySource


def _key(target: Target) -> str:
    return KeySource(target.key_file).to_python()


def render_python(target: Target) -> str:
    """Python with the openai library."""
    return f"""\
from pathlib import Path
from openai import OpenAI
client = OpenAI(
    base_url={target.base_url!r},
    api_key={_key(target)},
    max_retries=0,
)
answer = client.chat.completions.create(
    model={target.model!r}, messages=[{{"role": "user", "content": "Hello"}}]
)
print(answer.choices[0].message.content)"""


def render_curc_llm(target: Target) -> str:
    """Python with curc_llm."""
    where = f"{target.session_id!r}"
    if not target.is_local:
        where = f"base_url={target.base_url!r}, api_key_file={target.key_file!r}"
    return f"""\
import curc_llm
session = curc_llm.connect({where})
print(session.chat("Hello", model={target.model!r}))"""


def render_langchain(target: Target) -> str:
    """A chat model for LangChain and LangGraph."""
    return f"""\
# pip install langchain-openai
from pathlib import Path
from langchain_openai import ChatOpenAI
llm = ChatOpenAI(
    model={target.model!r},
    base_url={target.base_url!r},
    api_key={_key(target)},
    max_retries=0,
)
print(llm.invoke("Hello").content)"""


def render_llamaindex(target: Target) -> str:
    """An LLM for LlamaIndex, which must be told that it chats and how long its context is."""
    length = f"\n    context_window={target.max_model_len}," if target.max_model_len else ""
    return f"""\
# pip install llama-index-llms-openai-like
from pathlib import Path
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
llm = OpenAILike(
    model={target.model!r},
    api_base={target.base_url!r},
    api_key={_key(target)},
    is_chat_model=True,{length}
    max_retries=0,
)
print(llm.chat([ChatMessage(role="user", content="Hello")]).message.content)"""


def render_litellm(target: Target) -> str:
    """LiteLLM; without the first setting it asks the internet for prices, which compute nodes can't reach."""
    return f"""\
# pip install litellm
import os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # don't look up prices on the internet
from pathlib import Path
import litellm
answer = litellm.completion(
    model={"hosted_vllm/" + target.model!r},
    api_base={target.base_url!r},
    api_key={_key(target)},
    messages=[{{"role": "user", "content": "Hello"}}],
    num_retries=0,
)
print(answer.choices[0].message.content)"""
