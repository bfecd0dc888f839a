from __future__ import annotations

import pytest

from curc_llm.engine.scrub import scrub


@pytest.mark.parametrize(
    "text",
    [
        *(
            "key hf_S3cretS3cretS3cret here",
            "sk-S3cretS3cretS3cret",
            "curc-S3cretS3cretS3cretS3cretS3cretS3cret",
        ),
        *(
            "Authorization: Bearer S3cret.S3cret-S3cret",
            "http://me:S3cretpw@proxy:3128/",
            "HF_TOKEN='S3cret99'",
        ),
        *("'api_key': 'S3cretS3cret'", "password=S3cret99", "?token=S3cret99&x=1"),
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "S3cret" not in scrub(text)
    assert "***" in scrub(text)


@pytest.mark.parametrize(
    "text", ["ValueError: 3 tokens of 5", "the token was refused", "https://example.org/a:b@c"]
)
def test_other_text_stays(text: str) -> None:
    assert scrub(text) == text
