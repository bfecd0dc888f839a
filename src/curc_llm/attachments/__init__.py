"""Files that go with a question: read within bounds, made into text or images that a model can be given.

Pure Python without Gradio; it runs in the chat's process. pypdf and Pillow are imported when a PDF or an
image is read, so that saved chats can be listed and exported without them.

Example:
    >>> from curc_llm.attachments import make_content, read_attachment
    >>> attachment = read_attachment("results.csv")                            # doctest: +SKIP
    >>> content = make_content("What is odd here?", [attachment], takes_images=False)   # doctest: +SKIP
"""

from __future__ import annotations

from curc_llm.attachments.attachment import Attachment
from curc_llm.attachments.content import make_content, make_past_content
from curc_llm.attachments.errors import AttachmentError, ImagesRefusedError
from curc_llm.attachments.facts import from_facts, list_attachments, to_facts
from curc_llm.attachments.limits import AttachmentLimits
from curc_llm.attachments.paths import PathCompletion, PathCompletions, complete_path, resolve_path
from curc_llm.attachments.reading import read_attachment
from curc_llm.attachments.tokens import estimate_image_tokens, estimate_tokens
from curc_llm.attachments.uploads import Upload, Uploads

__all__ = [
    "Attachment",
    "AttachmentError",
    "AttachmentLimits",
    "ImagesRefusedError",
    "PathCompletion",
    "PathCompletions",
    "Upload",
    "Uploads",
    "complete_path",
    "estimate_image_tokens",
    "estimate_tokens",
    "from_facts",
    "list_attachments",
    "make_content",
    "make_past_content",
    "read_attachment",
    "resolve_path",
    "to_facts",
]
