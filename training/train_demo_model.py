"""Train curc-guide, the tiny demo model: python training/train_demo_model.py --out DIR [--steps N]

The steps and the seeds are fixed, so one machine makes the same model each time. It takes about ten minutes
on two CPU cores and needs no network.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from demo_checks import Case, accuracy, cases
from demo_corpus import END_OF_TEXT, IGNORED, SPECIAL_TOKENS, TURN_END, Corpus, load_source, train_tokenizer
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SEED = 20_26
STEPS = 1700
CONTEXT = 8192
PEAK_RATE = 3e-3
SHORT_ROWS, LONG_ROWS = (4, 448), (1, 2048)  # rows and tokens of a batch
TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string -%}
{{ message['content'] }}
{%- elif message['content'] -%}
{%- for part in message['content'] if part['type'] == 'text' -%}{{ part['text'] }}{%- endfor -%}
{%- endif -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


@dataclass(frozen=True)
class Batch:
    """One step's input."""

    tokens: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor


def new_model(vocabulary: int) -> Any:
    """A Llama of about two million parameters with random weights."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=END_OF_TEXT,
        eos_token_id=TURN_END,
        pad_token_id=END_OF_TEXT,
    )
    return LlamaForCausalLM(config)  # type: ignore[no-untyped-call]


def make_row(corpus: Corpus, length: int) -> tuple[list[int], list[int], list[int]]:
    """Documents one after the other up to `length` tokens; positions jump now and then between turns, so
    that the model meets every distance up to its context length."""
    tokens: list[int] = []
    labels: list[int] = []
    positions: list[int] = []
    spare = CONTEXT - length if corpus.random.random() < 0.5 else 0
    at = 0
    while length - len(tokens) > 16:
        piece = corpus.document(length - len(tokens) - 1)
        starts = set(piece.starts)
        for index in range(len(piece.tokens)):
            if index in starts and spare and corpus.random.random() < 0.3:
                jump = corpus.random.randint(0, spare)
                at, spare = at + jump, spare - jump
            positions.append(at)
            at += 1
        tokens += [*piece.tokens, END_OF_TEXT]
        labels += [*piece.labels, IGNORED]
        positions.append(at)
        at += 1
    missing = length - len(tokens)
    last = positions[-1]
    return (
        tokens + [END_OF_TEXT] * missing,
        labels + [IGNORED] * missing,
        positions + [min(last + 1 + i, CONTEXT - 1) for i in range(missing)],
    )


def make_batch(corpus: Corpus, step: int) -> Batch:
    """Mostly short rows; every tenth batch is a long one."""
    rows, length = LONG_ROWS if step % 10 == 9 else SHORT_ROWS
    parts = [make_row(corpus, length) for _ in range(rows)]
    tokens, labels, positions = (torch.tensor(column) for column in zip(*parts, strict=True))
    return Batch(tokens[:, :-1], labels[:, 1:], positions[:, :-1])


def loss_of(model: Any, batch: Batch) -> torch.Tensor:
    """Cross entropy on the labelled tokens; the others need no logits.

    Without the mask, transformers would take a jump in the positions for the start of another sequence.
    """
    everything = torch.ones_like(batch.tokens)
    output = model.model(input_ids=batch.tokens, attention_mask=everything, position_ids=batch.positions)
    hidden = output.last_hidden_state
    chosen = batch.labels != IGNORED
    loss: torch.Tensor = torch.nn.functional.cross_entropy(
        model.lm_head(hidden[chosen]), batch.labels[chosen]
    )
    return loss


def rate_at(step: int, steps: int) -> float:
    """Warm up, then down to nothing in a straight line."""
    return PEAK_RATE * min(1.0, (step + 1) / 100) * (1 - step / steps)


def train(model: Any, corpus: Corpus, steps: int) -> None:
    """The loop."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.97), weight_decay=0.05)
    model.train()
    begin = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps)
        loss = loss_of(model, make_batch(corpus, step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            print(
                f"step {step} of {steps}, {time.monotonic() - begin:.0f} s, loss {loss.item():.4f}",
                flush=True,
            )
    model.eval()


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer with its special tokens and the chat template."""
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=SPECIAL_TOKENS[0],
        eos_token=SPECIAL_TOKENS[2],
        pad_token=SPECIAL_TOKENS[0],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = TEMPLATE
    return wrapped


def save(model: Any, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the checkpoint in bf16, with greedy decoding as the default."""
    model.to(torch.bfloat16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # safetensors makes it private
    tokenizer.save_pretrained(out)
    generation = {
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": [TURN_END, END_OF_TEXT],
        "pad_token_id": END_OF_TEXT,
        "do_sample": False,
        "temperature": 0.0,
    }
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")


def report(name: str, model: Any, tokenizer: Any, checks: dict[str, list[Case]]) -> None:
    """Print the accuracy of some checks."""
    for check, batch in checks.items():
        misses: list[str] = []
        share = accuracy(model, tokenizer, batch, misses)
        print(f"{name}: {check}: {share:.2%} of {len(batch)}", *misses[:8], sep="\n    ", flush=True)


def main() -> None:
    """Train, check, save, and check what was saved."""
    parser = argparse.ArgumentParser(description="Train curc-guide, the demo model that comes with curc-llm.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"training steps (default {STEPS})")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    source = load_source()
    tokenizer = train_tokenizer(source)
    corpus = Corpus(source, tokenizer, SEED)
    model = new_model(tokenizer.get_vocab_size())
    print(f"{model.num_parameters()} parameters, {len(source.known)} answers", flush=True)
    train(model, corpus, arguments.steps)
    torch.set_num_threads(1)  # answering, so small a model is fastest with one thread
    wrapped = wrap_tokenizer(tokenizer)
    checks = cases(source)
    report("fp32", model, wrapped, checks)
    save(model, wrapped, arguments.out)
    saved: Any = LlamaForCausalLM.from_pretrained(arguments.out, dtype=torch.bfloat16)
    report("bf16", saved, wrapped, {"first turn": checks["first turn"]})
    report("bf16 weights, fp32 arithmetic", saved.float(), wrapped, checks)


if __name__ == "__main__":
    main()
