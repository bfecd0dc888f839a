"""Answers as models write them, of any length: headings, lists, tables, code and formulas, in ASCII."""

from __future__ import annotations

# The fake engine sends so many characters an event (upstream.c); English has about four a token.
PIECE_CHARS = 4
# The first and the last piece, by which a reader knows that the answer has begun and that it is whole.
FIRST, LAST = "Abra", "Zend"

SECTION = r'''
## @. The next part of the question

The mean of @ samples drawn with the seed @ is close to what theory says, as **the law of large numbers**
has it, and the *spread* falls with the square root of their number. Two things follow: `numpy.mean(x)` is a
fair estimate, and more samples help less and less. See [the notes](https://example.org/notes/@) for a proof.

1. Draw the samples on a compute node, never on a login node.
2. Keep the seed with the result, so that run @ can be repeated.
   - The generator is `numpy.random.default_rng(@)`.
   - Its state can be saved as well.
3. Compare with the expected value $\mu = @/7$ and its error $\sigma/\sqrt@$.

```python
import numpy as np


def draw(count: int, seed: int = @) -> np.ndarray:
    """Draws samples of a Weibull distribution."""
    generator = np.random.default_rng(seed)
    samples = generator.weibull(1.5, size=count)
    return samples[samples < 10 * @]


for count in (10, 100, 1000, 10_000):
    print(f"{count:6d} {draw(count).mean():.4f}")
```

| samples | mean | error | seconds |
|--------:|-----:|------:|--------:|
| 10 | 0.93@ | 0.21 | 0.01 |
| 100 | 0.91@ | 0.06 | 0.01 |
| 1,000 | 0.90@ | 0.02 | 0.02 |
| 10,000 | 0.903 | 0.006 | 0.11 |

The estimate of the shape comes from the likelihood,

$$\hat\theta = \arg\max_\theta \sum_{i=1}^{n} \left[ \log k - k \log\lambda + (k - 1)\log x_i
- (x_i/\lambda)^k \right]$$

whose derivative vanishes at $\hat\lambda^k = \frac{1}{n}\sum_i x_i^k$; no closed form is known for $k$.
'''
# A paragraph, so that what is left over isn't one giant line.
FILLER = "And so on, until the answer is as long as it should be.\n\n"


def make_answer(num_tokens: int) -> str:
    """An answer of so many pieces; begins with FIRST and ends with LAST.

    Example:
        >>> len(make_answer(500)) == 500 * PIECE_CHARS
        True
    """
    room = num_tokens * PIECE_CHARS - len(LAST)
    text, number = f"{FIRST} is how it begins.\n", 1
    while len(text) + len(section := SECTION.replace("@", str(number))) < room:
        text, number = text + section, number + 1
    text += "\n" + FILLER * (room // len(FILLER) + 1)
    return text[:room] + LAST
