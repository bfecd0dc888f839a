"""Takes secrets out of text that others may read."""

from __future__ import annotations

import re

# Tokens by the shapes in which they are issued, `NAME_TOKEN=value`, credentials in addresses, and headers.
SECRETS = (
    re.compile(r"\b(hf_|curc-|sk-|ghp_|gho_|glpat-|xox[bp]-)[A-Za-z0-9_-]{8,}"),
    re.compile(r"((?i:bearer|basic|token)\s+)[A-Za-z0-9._~+/=-]{12,}"),
    re.compile(
        r"((?i:[a-z_]*(?:token|api_?key|secret|password|passwd))['\"]?\s*[=:]\s*['\"]?)[^\s'\",;)&]{4,}"
    ),
    re.compile(r"(://)[^\s/@:]+:[^\s/@]+(?=@)"),
)


def scrub(text: str) -> str:
    """The text with everything that looks like a secret replaced by `***`.

    Example:
        >>> scrub("401 for https://me:pw@proxy with HF_TOKEN=hf_abcdefghijklmnop")
        '401 for https://***@proxy with HF_TOKEN=***'
    """
    for pattern in SECRETS:
        text = pattern.sub(r"\1***", text)
    return text
