"""What a person asks for in one turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from curc_llm.chat.answer import Answer
from curc_llm.chat.choice import Choice
from curc_llm.chat.context import ContextUse, Counted, measure
from curc_llm.chat.summary import Summary
from curc_llm.chats.message import Message

ApiMessage = dict[str, Any]


@dataclass(frozen=True)
class TurnRequest:
    """What a person asks for.

    Args:
        messages: the conversation as the OpenAI API has it, ending with the person's message.
        choice: model, system prompt and controls.
        user: in whose name, as the gateway told us.
        begins_with: an answer that was cut off, and is to go on.
        counted: what the engine counted of this chat before.
        summary: of the older part, if there is one.
        keep_summary: keeps a new one with the chat.
        learn_count: is told what the engine counts of it before it is sent.
    """

    messages: list[ApiMessage]
    choice: Choice
    user: str = "owner"
    begins_with: Message | None = None
    counted: Counted | None = None
    summary: Summary | None = None
    keep_summary: Callable[[Summary], None] = field(default=lambda _: None)
    learn_count: Callable[[list[ApiMessage], int], None] = field(default=lambda _, __: None)

    @property
    def model(self) -> str:
        """Served name of the model."""
        return self.choice.model

    @property
    def is_json(self) -> bool:
        """Whether the answer is JSON, by a schema."""
        return self.choice.controls.json_schema is not None

    @property
    def use(self) -> ContextUse:
        """How much of the context it takes."""
        return measure(
            self.messages,
            counted=self.counted,
            max_model_len=self.choice.max_model_len,
            max_tokens=self.choice.controls.sampling.max_tokens,
        )

    def to_json(self, messages: list[ApiMessage] | None = None) -> dict[str, Any]:
        """The request as the OpenAI API has it; vLLM's own fields say that the last message goes on.

        Args:
            messages: what fits of the conversation; all of it when not given.
        """
        sent = self.messages if messages is None else messages
        body = {
            **self.choice.to_request(),
            "messages": sent,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self.begins_with is None:
            return body
        last = {"role": "assistant", "content": self.begins_with.content}
        go_on = {"add_generation_prompt": False, "continue_final_message": True}
        return {**body, "messages": [*sent, last], **go_on}

    def go_on(self, answer: Answer) -> Answer:
        """The answer with what it goes on from before it."""
        first = self.begins_with
        if first is None:
            return answer
        return replace(answer, text=first.content + answer.text, reasoning=first.reasoning + answer.reasoning)
