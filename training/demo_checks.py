"""Ask the demo model its questions on CPU and count the answers that are right word for word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from demo_corpus import Source

Message = dict[str, str]
Case = tuple[list[Message], str]
LONGEST_ANSWER = 300
SYSTEM_PROMPTS = [
    "You are a helpful assistant.",
    "Talk like a friendly librarian.",
    "Max 50 words, no emoji please.",
]


def user(text: str) -> Message:
    """A message of the user."""
    return {"role": "user", "content": text}


def cases(source: Source) -> dict[str, list[Case]]:
    """Conversations with the answer that each must get, by the name of the check."""
    main = [(entry.questions[0], entry.answer) for entry in source.known]
    result: dict[str, list[Case]] = {"first turn": [([user(q)], a) for q, a in main]}
    result["lower case, no punctuation"] = [([user(q.lower().rstrip("?.!"))], a) for q, a in main]
    result["rewordings"] = [([user(q)], e.answer) for e in source.known for q in e.questions[1:]]
    for prompt in SYSTEM_PROMPTS:
        system = {"role": "system", "content": prompt}
        result[f"system prompt: {prompt}"] = [([system, user(q)], a) for q, a in main]
    result["second turn"] = [([*said(main[i - 7]), user(q)], a) for i, (q, a) in enumerate(main)]
    odd = ("Sing me a song of the sea.", source.fallback)
    result["third turn"] = [([*said(main[i - 9]), *said(odd), user(q)], a) for i, (q, a) in enumerate(main)]
    result["fallback, held out"] = [([user(q)], source.fallback) for q in source.other["held_out"]]
    return result


def said(pair: tuple[str, str]) -> list[Message]:
    """A question and its answer as two messages."""
    return [user(pair[0]), {"role": "assistant", "content": pair[1]}]


def accuracy(model: Any, tokenizer: Any, batch: Iterable[Case], misses: list[str] | None = None) -> float:
    """The share of the cases that the model answers word for word."""
    items = sorted(batch, key=lambda case: len(case[1]))
    right = 0
    for start in range(0, len(items), 64):
        part = items[start : start + 64]
        replies = generate(model, tokenizer, [messages for messages, _ in part])
        for (messages, answer), reply in zip(part, replies, strict=True):
            right += reply == answer
            if reply != answer and misses is not None:
                misses.append(f"{messages[-1]['content']!r} -> {reply!r}")
    return right / len(items)


def generate(model: Any, tokenizer: Any, conversations: Sequence[list[Message]]) -> list[str]:
    """Greedy answers to a batch of conversations."""
    tokenizer.padding_side = "left"
    texts = [
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        for messages in conversations
    ]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
    with torch.inference_mode():
        output = model.generate(**inputs, do_sample=False, max_new_tokens=LONGEST_ANSWER)
    new = output[:, inputs["input_ids"].shape[1] :]
    return [str(text) for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
