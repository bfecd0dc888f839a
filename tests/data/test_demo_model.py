"""The bundled demo model: its files, its questions, its chat template, and what it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

MODEL = Path(__file__).parents[2] / "src/curc_llm/data/demo_model"
FILES = [
    "LICENSE",
    "README.md",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "questions.yml",
    "tokenizer.json",
    "tokenizer_config.json",
]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """What questions.yml holds."""
    content: dict[str, Any] = yaml.safe_load((MODEL / "questions.yml").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def questions(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Its entries."""
    entries: list[dict[str, Any]] = data["questions"]
    return entries


def normalised(text: str) -> str:
    """How the model should see a question: without case and final punctuation."""
    return text.lower().rstrip("?.! ")


def render(messages: list[dict[str, Any]], prompt: bool = True) -> str:
    """The chat template's text for these messages."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)  # as transformers does
    template = environment.from_string((MODEL / "chat_template.jinja").read_text(encoding="utf-8"))
    return str(template.render(messages=messages, add_generation_prompt=prompt))


def test_all_files_are_there_and_small() -> None:
    missing = [name for name in FILES if not (MODEL / name).is_file()]
    assert missing == []
    assert sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file()) < 5_000_000


def test_configuration_fits_the_engine() -> None:
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["max_position_embeddings"] == 8192
    assert config["dtype"] == "bfloat16"
    generation = json.loads((MODEL / "generation_config.json").read_text(encoding="utf-8"))
    assert generation["temperature"] == 0.0
    assert config["eos_token_id"] in generation["eos_token_id"]


def test_questions_are_well_formed(data: dict[str, Any], questions: list[dict[str, Any]]) -> None:
    assert data["name"] == "curc-guide"
    assert data["fallback"].startswith("I am curc-guide, a tiny demo model")
    assert len(questions) >= 150
    for entry in questions:
        assert set(entry) <= {"question", "topic", "also", "answer"}, entry
        for text in (entry["question"], entry["topic"], entry["answer"], *entry.get("also", [])):
            assert isinstance(text, str), entry
            assert text == text.strip() != "", entry


def test_questions_are_unique(questions: list[dict[str, Any]]) -> None:
    texts = [normalised(text) for entry in questions for text in (entry["question"], *entry.get("also", []))]
    assert sorted(texts) == sorted(set(texts))


def test_starters_are_questions(data: dict[str, Any], questions: list[dict[str, Any]]) -> None:
    assert data["starters"]
    assert set(data["starters"]) <= {entry["question"] for entry in questions}


def test_answers_make_the_chat_page_look_alive(questions: list[dict[str, Any]]) -> None:
    answers = [str(entry["answer"]) for entry in questions]
    assert sum(len(answer.split()) >= 120 for answer in answers) >= 5
    for pattern in ("```bash\n", "```python\n", r"\|---\|", r"(?m)^- ", r"(?m)^1\. ", r"\$[^$\n]+\$"):
        assert any(re.search(pattern, answer) for answer in answers), pattern


def test_fences_and_formulas_are_closed(questions: list[dict[str, Any]]) -> None:
    for entry in questions:
        prose = re.sub(r"```.*?```", "", entry["answer"], flags=re.DOTALL)
        assert prose.count("`") % 2 == 0, entry
        assert prose.count("$") % 2 == 0, entry


def test_template_renders_a_conversation() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "Slurm?"}],
        },
        {"role": "assistant", "content": None},
        {"role": "user", "content": "Thanks\n"},
    ]
    assert render(messages) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is Slurm?<|im_end|>\n"
        "<|im_start|>assistant\n<|im_end|>\n"
        "<|im_start|>user\nThanks\n<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_template_without_a_generation_prompt() -> None:
    text = render([{"role": "user", "content": "Hi"}], prompt=False)
    assert text == "<|im_start|>user\nHi<|im_end|>\n"


def batches(pairs: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """The pairs in batches whose answers are of similar length: no row waits long for another."""
    result: list[list[tuple[str, str]]] = []
    for pair in sorted(pairs, key=lambda pair: len(pair[1])):
        if not result or len(pair[1]) > 1.7 * len(result[-1][0][1]):
            result.append([])
        result[-1].append(pair)
    return result


@pytest.fixture
def one_thread() -> Iterator[None]:
    """So small a model is fastest with one thread."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def answers_of(model: Any, tokenizer: Any, prompts: list[str], longest: int) -> list[str]:
    """Greedy answers to a batch of single questions."""
    texts = [render([{"role": "user", "content": prompt}]) for prompt in prompts]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
    output = model.generate(**inputs, do_sample=False, temperature=None, max_new_tokens=longest)
    new = output[:, inputs["input_ids"].shape[1] :]
    return [str(text) for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_answers_are_right_word_for_word(data: dict[str, Any], questions: list[dict[str, Any]]) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype="float32")  # fast on any CPU
    pairs = [(str(entry["question"]), str(entry["answer"])) for entry in questions]
    pairs += [(question.lower().rstrip("?.!"), answer) for question, answer in pairs]
    unknown = ["Write a sonnet about winter.", "Who painted the Mona Lisa?", "What is 17 times 23?"]
    pairs += [(question, str(data["fallback"])) for question in unknown]
    wrong = []
    for batch in batches(pairs):
        longest = 16 + max(len(tokenizer(answer)["input_ids"]) for _, answer in batch)
        replies = answers_of(model, tokenizer, [question for question, _ in batch], longest)
        wrong += [(q, r) for (q, answer), r in zip(batch, replies, strict=True) if r != answer]
    assert wrong == []
