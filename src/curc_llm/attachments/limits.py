"""How much of files is read, kept and given to a model."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class AttachmentLimits:
    """Bounds, so that no file fills memory, a disk or a model's context by surprise.

    Args:
        max_upload_mib: of one uploaded file.
        max_uploads_mib: of all uploaded files that are kept at one time.
        max_whole_mib: of a PDF, a notebook or an image, which can't be read in part. Of text and tables of
            any size the beginning and the end are read.
        max_text_chars: of text that a model is given of one file; 400,000 are about 100,000 tokens.
        max_table_chars: of a table; a longer one is described, with its first and last rows.
        max_table_scan_mib: of a table that is looked through for its rows and types.
        max_pdf_pages: that are read of a PDF.
        pdf_timeout_s: that reading a PDF may take.
        pdf_memory_mib: that reading a PDF may take.
        max_image_megapixels: of an image, before it is made smaller.
        max_image_side_px: of an image as the model gets it; larger ones are scaled down.
        max_image_bytes: of an image as the model gets it; base64 adds a third: 933 kB of text.
    """

    max_upload_mib: float = 20.0
    max_uploads_mib: float = 200.0
    max_whole_mib: float = 50.0
    max_text_chars: int = 400_000
    max_table_chars: int = 40_000
    max_table_scan_mib: float = 16.0
    max_pdf_pages: int = 500
    pdf_timeout_s: float = 30.0
    pdf_memory_mib: int = 1024
    max_image_megapixels: float = 50.0
    max_image_side_px: int = 1536
    max_image_bytes: int = 700_000

    @property
    def max_whole_bytes(self) -> int:
        """`max_whole_mib` in bytes."""
        return int(self.max_whole_mib * MIB)

    @property
    def text(self) -> str:
        """What holds for uploads, in words.

        Example:
            >>> AttachmentLimits().text
            'Up to 20 MiB a file and 200 MiB in all; uploads are removed when the session ends.'
        """
        return (
            f"Up to {self.max_upload_mib:g} MiB a file and {self.max_uploads_mib:g} MiB in all; "
            "uploads are removed when the session ends."
        )


DEFAULT_LIMITS = AttachmentLimits()
