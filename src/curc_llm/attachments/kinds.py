"""What a file is: by its first bytes, then by its ending."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from curc_llm.attachments.attachment import Kind
from curc_llm.attachments.errors import READABLE, AttachmentError

SNIFF_BYTES = 8192
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_UNPACK = "Unpack it and attach what is in it."
_EXPORT = "Export it as CSV or text and attach that."
_CONVERT = "Convert it to PNG or JPEG first."
# First bytes of what people do try to attach, what it is, and what to do.
_BINARIES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", _UNPACK),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
    (0, b"\x7fELF", "a program", "Attach its source code."),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (0, b"CDF\x01", "a NetCDF file", _EXPORT),
    (0, b"CDF\x02", "a NetCDF file", _EXPORT),
    (0, b"PAR1", "a Parquet file", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy array", _EXPORT),
    (0, b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file", "Save it as PDF, CSV or text first."),
    (0, b"II*\0", "a TIFF image", _CONVERT),
    (0, b"MM\0*", "a TIFF image", _CONVERT),
    (4, b"ftyp", "a video or HEIC image", _CONVERT),
    (0, b"\x80\x02", "a pickle", _EXPORT),
    (0, b"\x80\x04", "a pickle", _EXPORT),
    (0, b"\x80\x05", "a pickle", _EXPORT),
)
_OFFICE = {
    ".xlsx": ("an Excel workbook", "Save the sheet as CSV and attach that."),
    ".xlsm": ("an Excel workbook", "Save the sheet as CSV and attach that."),
    ".docx": ("a Word document", "Save it as PDF or text and attach that."),
    ".pptx": ("a PowerPoint file", "Save it as PDF and attach that."),
    ".odt": ("a text document", "Save it as PDF or text and attach that."),
    ".ods": ("a spreadsheet", "Save the sheet as CSV and attach that."),
    ".npz": ("a NumPy archive", _EXPORT),
}
_TABLES = {".csv", ".tsv", ".tab"}
# Endings of text that is no program, with the name that Markdown has for it.
_TEXTS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".json": "json",
    ".jsonl": "json",
    ".geojson": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".xml": "xml",
    ".html": "html",
    ".htm": "html",
    ".tex": "latex",
    ".bib": "bibtex",
    ".rst": "rst",
    ".diff": "diff",
    ".patch": "diff",
    ".ini": "ini",
    ".cfg": "ini",
    ".svg": "xml",
}
_CODE = {
    "python": ".py .pyi .pyx .pyw",
    "r": ".r .rmd",
    "julia": ".jl",
    "c": ".c .h",
    "cpp": ".cc .cpp .cxx .hpp .hh .hxx .cu .cuh .ino",
    "fortran": ".f .f77 .f90 .f95 .f03 .f08 .for",
    "bash": ".sh .bash .zsh .sbatch .slurm .ksh",
    "tcsh": ".csh .tcsh",
    "matlab": ".m .mlx",
    "java": ".java",
    "javascript": ".js .mjs .cjs .jsx",
    "typescript": ".ts .tsx",
    "rust": ".rs",
    "go": ".go",
    "ruby": ".rb .erb",
    "perl": ".pl .pm",
    "php": ".php",
    "scala": ".scala",
    "kotlin": ".kt .kts",
    "swift": ".swift",
    "haskell": ".hs",
    "ocaml": ".ml .mli",
    "lisp": ".lisp .el .clj",
    "lua": ".lua",
    "sql": ".sql",
    "css": ".css .scss .less",
    "csharp": ".cs",
    "powershell": ".ps1",
    "makefile": ".mk .mak",
    "cmake": ".cmake",
    "groovy": ".groovy .nf",
    "verilog": ".v .sv",
    "vhdl": ".vhd .vhdl",
    "asm": ".s .asm",
    "awk": ".awk",
    "dockerfile": ".dockerfile .def",
    "protobuf": ".proto",
    "stata": ".do .ado",
    "sas": ".sas",
    "idl": ".pro",
    "d": ".d",
    "nim": ".nim",
    "dart": ".dart",
    "zig": ".zig",
}
_CODE_ENDINGS = {ending: language for language, endings in _CODE.items() for ending in endings.split()}
_CODE_NAMES = {
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "dockerfile": "dockerfile",
    "cmakelists.txt": "cmake",
    "snakefile": "python",
    "sconstruct": "python",
    "jenkinsfile": "groovy",
    "rakefile": "ruby",
    "gemfile": "ruby",
}
_SHEBANGS = {"python": "python", "bash": "bash", "zsh": "bash", "sh": "bash", "perl": "perl", "rscript": "r"}


@dataclass(frozen=True)
class FileKind:
    """What a file is.

    Args:
        kind: how it is read.
        language: for a fenced block; may be empty.
    """

    kind: Kind
    language: str = ""


def find_kind(name: str, start: bytes) -> FileKind:
    """What a file is.

    Args:
        name: of the file, for its ending.
        start: its first `SNIFF_BYTES`.

    Raises:
        AttachmentError: it is of a kind that is known, and that models can't be given.

    Example:
        >>> find_kind("fit.R", b"x <- 1"), find_kind("a.txt", b"%PDF-1.7").kind
        (FileKind(kind='code', language='r'), 'pdf')
    """
    ending = PurePath(name).suffix.lower()
    if b"%PDF-" in start[:1024]:
        return FileKind("pdf")
    if start.startswith(_IMAGES) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP"):
        return FileKind("image")
    _refuse_binary(name, ending, start)
    if ending == ".ipynb":
        return FileKind("notebook")
    if ending in _TABLES:
        return FileKind("table", "csv")
    if ending in _TEXTS:
        return FileKind("text", _TEXTS[ending])
    language = _CODE_ENDINGS.get(ending) or _CODE_NAMES.get(name.lower()) or _find_shebang(start)
    return FileKind("code", language) if language else FileKind("text")


def refuse_unknown(name: str) -> AttachmentError:
    """The sentence for bytes that are no text."""
    ending = PurePath(name).suffix
    what = f"a binary file ({ending})" if ending else "a binary file"
    return AttachmentError(f"{name} is {what}, which models can't read.", READABLE)


def _refuse_binary(name: str, ending: str, start: bytes) -> None:
    for at, signature, *known in _BINARIES:
        if start[at : at + len(signature)] == signature:
            what, remedy = _OFFICE.get(ending, known) if signature == b"PK\x03\x04" else known
            raise AttachmentError(f"{name} is {what}, which models can't read.", f"{remedy} {READABLE}")


def _find_shebang(start: bytes) -> str:
    if not start.startswith(b"#!"):
        return ""
    first = start.partition(b"\n")[0].decode("ascii", "replace").lower()
    words = first[2:].replace("/", " ").split()
    return next(
        (_SHEBANGS[word.rstrip("0123456789.")] for word in words if word.rstrip("0123456789.") in _SHEBANGS),
        "",
    )
