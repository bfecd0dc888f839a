"""What the demo model reads in training: questions, other prompts, and conversations made of them."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

QUESTIONS = Path(__file__).parents[1] / "src/curc_llm/data/demo_model/questions.yml"
OTHER_PROMPTS = Path(__file__).with_name("other_prompts.yml")
VOCABULARY = 2048
END_OF_TEXT, TURN_START, TURN_END = 0, 1, 2
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
IGNORED = -100  # label of a token that the loss leaves out

GREETINGS = ["Hi, ", "Hello! ", "Please: ", "Hi! ", "Quick question: ", "Ok, ", "And ", "So, "]


@dataclass(frozen=True)
class Known:
    """One answer and all the questions that it belongs to; the first is the main one."""

    questions: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Source:
    """The texts of both YAML files."""

    known: tuple[Known, ...]
    fallback: str
    other: dict[str, list[str]]

    @property
    def words(self) -> list[str]:
        """Words for nonsense prompts."""
        texts = [text for entries in self.other.values() for text in entries]
        texts += [text for entry in self.known for text in (*entry.questions, entry.answer)]
        return sorted(set(re.findall(r"[A-Za-z]+", " ".join(texts))))


def load_source() -> Source:
    """Read the questions and the other prompts."""
    data = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    other = yaml.safe_load(OTHER_PROMPTS.read_text(encoding="utf-8"))
    known = tuple(
        Known((entry["question"], *entry.get("also", [])), entry["answer"]) for entry in data["questions"]
    )
    return Source(
        known, data["fallback"], {name: [str(text) for text in texts] for name, texts in other.items()}
    )


def train_tokenizer(source: Source) -> Tokenizer:
    """Byte-level BPE on the texts of the source; any other text falls back to smaller pieces."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    known = [text for entry in source.known for text in (*entry.questions, *[entry.answer] * 3)]
    other = [text for name, texts in sorted(source.other.items()) if name != "held_out" for text in texts]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    roles = [f"{role}\n" for role in ("system", "user", "assistant")] * 20
    tokenizer.train_from_iterator(
        [*known, source.fallback, *other, *[t.lower() for t in known], *roles], trainer
    )
    return tokenizer


@dataclass(frozen=True)
class Piece:
    """Tokens of one document, the labels for the loss, and where its turns start."""

    tokens: list[int]
    labels: list[int]
    starts: list[int]


class Corpus:
    """An endless, seeded supply of training documents."""

    def __init__(self, source: Source, tokenizer: Tokenizer, seed: int) -> None:
        self.source = source
        self.random = random.Random(seed)
        self._tokenizer = tokenizer
        self._words = source.words
        self._tokens: dict[str, list[int]] = {}
        self._deck: list[Known] = []
        self._makers: list[Callable[[], str]] = [
            self._framed("subject_frames"),
            self._framed("subject_frames"),
            self._framed("task_frames"),
            self._framed("task_frames"),
            self._framed("known_frames"),
            lambda: self.random.choice(source.other["prompts"]),
            lambda: self.random.choice(source.other["prompts"]),
            self._sum,
            self._nonsense,
            self._noise,
        ]

    def document(self, limit: int) -> Piece:
        """One conversation, or now and then one answer as plain text, of at most `limit` tokens."""
        if self.random.random() < 0.07:
            return self._plain(limit)
        tokens: list[int] = []
        labels: list[int] = []
        starts: list[int] = []
        if self.random.random() < 0.4:
            self._append(tokens, labels, starts, self._turn("system", self._system_prompt()), [])
        for _ in range(self.random.choice([1, 1, 1, 2, 2, 3, 3, 5, 8])):
            prompt, answer = self._exchange()
            before = [*self._turn("user", prompt), TURN_START, *self._encode("assistant\n")]
            after = [*self._encode(answer), TURN_END]
            if tokens and len(tokens) + len(before) + len(after) + 1 > limit:
                break
            self._append(tokens, labels, starts, before, after)
            newline = self._encode("\n")
            tokens += newline
            labels += [IGNORED] * len(newline)
        return Piece(tokens[:limit], labels[:limit], starts)

    @staticmethod
    def _append(
        tokens: list[int], labels: list[int], starts: list[int], before: list[int], after: list[int]
    ) -> None:
        starts.append(len(tokens))
        tokens += [*before, *after]
        labels += [IGNORED] * len(before) + after

    def _plain(self, limit: int) -> Piece:
        answer = self.random.choice(self.source.known).answer
        tokens = [*self._encode(answer), END_OF_TEXT][:limit]
        return Piece(tokens, [IGNORED, *tokens[1:]], [0])

    def _turn(self, role: str, text: str) -> list[int]:
        return [TURN_START, *self._encode(f"{role}\n{text}"), TURN_END, *self._encode("\n")]

    def _encode(self, text: str) -> list[int]:
        if text not in self._tokens:
            if len(self._tokens) > 50_000:
                self._tokens.clear()
            self._tokens[text] = self._tokenizer.encode(text).ids
        return self._tokens[text]

    def _exchange(self) -> tuple[str, str]:
        if self.random.random() < 0.7:
            known = self._next_known()
            main = self.random.random() < 0.5
            question = known.questions[0] if main else self.random.choice(known.questions)
            return self._varied(question), known.answer
        prompt = self.random.choice(self._makers)()
        if self.random.random() < 0.3:
            prompt = self._varied(prompt)
        return prompt, self.source.fallback

    def _next_known(self) -> Known:
        """Deal every answer once, then shuffle again: so that none is left behind."""
        if not self._deck:
            self._deck = list(self.source.known)
            self.random.shuffle(self._deck)
        return self._deck.pop()

    def _varied(self, text: str) -> str:
        """The ways in which people type the same thing."""
        chance = self.random.random
        if chance() < 0.25:
            text = text.lower()
        elif chance() < 0.03:
            text = text.upper()
        if chance() < 0.3:
            text = text.rstrip("?.!")
        if chance() < 0.05:
            place = self.random.randrange(max(1, len(text)))
            text = text[:place] + text[place + 1 :]
        if chance() < 0.05:
            text = self.random.choice(GREETINGS) + text
        if chance() < 0.05:
            text += self.random.choice([" ", "\n", "??", " ?", "!", "."])
        return text or "?"

    def _system_prompt(self) -> str:
        if self.random.random() < 0.5:
            return self.random.choice(self.source.other["system_prompts"])
        return self._nonsense()

    def _framed(self, name: str) -> Callable[[], str]:
        fills = {"{s}": "subjects", "{k}": "known", "{t}": "tasks"}

        def make() -> str:
            text = self.random.choice(self.source.other[name])
            for mark, entries in fills.items():
                while mark in text:
                    text = text.replace(mark, self.random.choice(self.source.other[entries]), 1)
            return text

        return make

    def _sum(self) -> str:
        number = self.random.randint
        frame = self.random.choice(["What is {}?", "{}", "Calculate {}", "{} =", "How much is {}?"])
        return frame.format(f"{number(0, 999)} {self.random.choice('+-*/')} {number(0, 999)}")

    def _nonsense(self) -> str:
        longest = 60 if self.random.random() < 0.05 else 12
        words = [self.random.choice(self._words) for _ in range(self.random.randint(1, longest))]
        return " ".join(words) + self.random.choice(["", ".", "?"])

    def _noise(self) -> str:
        letters = self.random.choice(
            [string.ascii_lowercase, string.printable[:95], "äöüßéñçøåλπΩ你好世界мир😀🚀 "]
        )
        return "".join(self.random.choice(letters) for _ in range(self.random.randint(1, 30))).strip() or "?"
