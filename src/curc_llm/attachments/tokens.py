"""How many tokens a text or an image is likely to be, without the model at hand. Estimates, and said to be.

Text: the tokenizers of today's models (vocabularies of 100,000 to 260,000) take a common English word as one
token and a rarer one in pieces, punctuation mostly by itself, and CJK about a character each. Digits go by
threes (Llama 3, GPT) or one by one (Qwen, Gemma, Mistral); they are counted as two thirds each.

Estimate over count, for 15 texts by the tokenizers of GPT-4 (cl100k) and DeepSeek: English prose 1.0 to 1.2,
code, YAML and logs 0.95 to 1.1, lists of versions 0.8, tables of numbers 1.3, German 0.8 and 1.1, Russian 0.8
and 1.4, Chinese 0.9 and 2.0. A quarter of the characters, the usual rule, gives 0.4 for tables of numbers.

Images: Qwen2-VL to 2.5-VL make one token of 28 x 28 pixels (patches of 14, two by two merged), Qwen3-VL and
Pixtral's successors one of 32 x 32 (https://mintlify.wiki/QwenLM/Qwen3-VL/api/utils/smart-resize); Gemma 3
always makes 256 (transformers 5.19, configuration_gemma3.py: `mm_tokens_per_image`). 28 x 28 is taken, the
dearest of these for the sizes that are sent.
"""

from __future__ import annotations

import math
import re

IMAGE_GRID_PX = 28
_WORD = re.compile(r"[A-Za-z]+")
_OTHER_LETTER = re.compile(r"[^\W\d_A-Za-z]")
_DENSE = re.compile(
    r"[\u0e00-\u0e7f\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\U0001f000-\U0003ffff]"
)
_DIGIT = re.compile(r"\d")
_SIGN = re.compile(r"[^\w\s]+|_+")
_BREAK = re.compile(r"\n\s*|[ \t]{2,}")
_LOOKED_AT_CHARS = 200_000


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is.

    Of a long text only the first 200,000 characters are counted; the rest is taken to be like them.

    Example:
        >>> estimate_tokens("What is a service unit?")
        7
    """
    looked_at = text[:_LOOKED_AT_CHARS]
    if not looked_at:
        return 0
    return max(1, math.ceil(_count(looked_at) * len(text) / len(looked_at)))


def estimate_image_tokens(width_px: int, height_px: int) -> int:
    """About how many tokens an image of this size is, as it is sent.

    Example:
        >>> estimate_image_tokens(1120, 560)
        800
    """
    return max(1, math.ceil(width_px / IMAGE_GRID_PX)) * max(1, math.ceil(height_px / IMAGE_GRID_PX))


def _count(text: str) -> float:
    words = sum(1 + max(0, len(word) - 6) / 4 for word in _WORD.findall(text))
    dense = len(_DENSE.findall(text))
    others = max(0, len(_OTHER_LETTER.findall(text)) - dense)
    digits = len(_DIGIT.findall(text))
    signs = sum(1 + (len(sign) - 1) / 4 for sign in _SIGN.findall(text))
    return words + dense + others / 2.5 + digits * 2 / 3 + signs + len(_BREAK.findall(text)) / 1.5
