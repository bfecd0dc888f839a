"""The model's text ↔ the Markdown that Gradio is given.

Gradio looks for formulas inside code, lets prices pass for formulas, drops tags that it doesn't know, and
fetches images. So prose is rewritten before Gradio sees it, and code is left alone. What is rewritten carries
an invisible mark, so that it can be turned back (for the model's next turn, and by page.js when a person
copies).
"""

from __future__ import annotations

import re

from curc_llm.attachments.content import make_fence
from curc_llm.chat.formulas import Formula, find_formulas
from curc_llm.chat.paragraphs import break_paragraphs

# U+2063 INVISIBLE SEPARATOR: shows nothing, and isn't in anybody's code.
MARK = "\u2063"
# U+2064 INVISIBLE PLUS stands around what is shown in an answer but isn't part of it (figures, reasoning).
ASIDE = "\u2064"
# Where a paragraph was too long for the browser.
BREAK = f"{MARK}{MARK}\n\n"

LATEX_DELIMITERS: list[dict[str, str | bool]] = [
    {"left": f"{MARK}$$", "right": f"$${MARK}", "display": True},
    {"left": f"{MARK}$", "right": f"${MARK}", "display": False},
]

_CODE = re.compile(
    r"(?P<fence>^[ \t]*(?:(?:[-*+>]|\d{1,9}[.)])[ \t]*)?(?P<ticks>`{3,}|~{3,})[^\n`]*"
    r"(?:\n.*?(?:^[ \t>]*(?P=ticks)[`~]*[ \t]*$|\Z)|\Z))"
    r"|(?P<span>(?<!`)(?P<run>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=run)(?!`))",
    re.MULTILINE | re.DOTALL,
)
_DIAGRAM = re.compile(r"(?:`{3}|~{3})[ \t]*mermaid", re.IGNORECASE)
# An image by address or by name, or what begins like one.
_IMAGE = re.compile(r"!\[(?:(?P<text>[^\[\]]*)\](?:(?P<next>\[)|(?=\()))?")
_CLOSED = f"{MARK}\\]{MARK}"
# An image by name, and the line with its address: Markdown shows no such line, nor is the image shown.
_NAMED_IMAGE = re.compile(r"!\[([^\[\]\n]*)\](?:\[([^\[\]\n]*)\])?(?!\()")
_DEFINITION = re.compile(r"^( {0,3})\[(?=([^\[\]\n]+)\]:[ \t]*\S)", re.MULTILINE)
_ADDRESS = f"{MARK}{MARK}\\["
_HTML = re.compile(r"<(?=[A-Za-z/!?])(?!(?:br|/?(?:sub|sup|kbd))[ \t]*/?>|https?://[^\s<>]*>)")


def render_markdown(text: str, less_than: str = "&lt;") -> str:
    """Makes the Markdown that shows a text safely: formulas as LaTeX, unknown tags and images as text.

    Args:
        text: as a model or a person wrote it.
        less_than: what stands for a `<` that would open a tag; an escape that Markdown or HTML knows.

    Example:
        >>> render_markdown("<script> costs $5").replace(MARK, "·")
        '&lt;·script> costs $5'
    """
    text = break_paragraphs(text.replace(MARK, "").replace(ASIDE, ""), BREAK)
    images = _name_images(text)
    parts: list[str] = []
    end = 0
    for code in _CODE.finditer(text):
        parts += [_render_prose(text[end : code.start()], less_than, images), code.group()]
        end = code.end()
    rendered = "".join([*parts, _render_prose(text[end:], less_than, images)])
    # Gradio would draw diagrams, whose labels and styles are HTML and CSS again: they stay code.
    return _DIAGRAM.sub(rf"\g<0>{MARK}", rendered)


def render_own_markdown(text: str) -> str:
    """As `render_markdown`, for what a person wrote and may edit: it is changed as little as possible."""
    return render_markdown(text, less_than="\\<")


def parse_markdown(markdown: str) -> str:
    """The text that `render_markdown` was given, but for how its formulas were delimited.

    Example:
        >>> parse_markdown(render_markdown("a <b> and ![c](d)"))
        'a <b> and ![c](d)'
    """
    plain = markdown.replace(BREAK, "").replace(f"&lt;{MARK}", "<").replace(f"\\<{MARK}", "<")
    plain = plain.replace(f"{_CLOSED}\\[", "][").replace(_CLOSED, "]").replace(f"!{MARK}\\[", "![")
    return plain.replace(_ADDRESS, "[").replace(MARK, "")


def render_json_block(text: str) -> str:
    r"""JSON as code. The mark behind the language tells page.js to copy what stands between the fences alone.

    Example:
        >>> render_json_block('{"a": 1}').replace(MARK, "·")
        '```json ·\n{"a": 1}\n```'
    """
    fence = make_fence(text)
    return f"{fence}json {MARK}\n{text.strip()}\n{fence}"


def _name_images(text: str) -> set[str]:
    """The names by which images of a text are meant, as Markdown compares them."""
    return {_fold(name or words) for words, name in _NAMED_IMAGE.findall(text)}


def _show_addresses(prose: str, images: set[str]) -> str:
    def show(line: re.Match[str]) -> str:
        return f"{line.group(1)}{_ADDRESS}" if _fold(line.group(2)) in images else line.group()

    return _DEFINITION.sub(show, prose) if images else prose


def _fold(name: str) -> str:
    return " ".join(name.casefold().split())


def _render_prose(text: str, less_than: str, images: set[str]) -> str:
    parts: list[str] = []
    end = 0
    for formula in find_formulas(text):
        parts += [_escape(text[end : formula.start], less_than, images), _render_formula(formula)]
        end = formula.end
    return "".join([*parts, _escape(text[end:], less_than, images)])


def _escape(text: str, less_than: str, images: set[str]) -> str:
    return _show_addresses(_IMAGE.sub(_escape_image, _HTML.sub(less_than + MARK, text)), images)


def _escape_image(image: re.Match[str]) -> str:
    words, bracket = image.group("text", "next")
    # Without the second mark a name in brackets, or a link around the image, would make a small link of it.
    closing = "" if words is None else f"{words}{_CLOSED}" + ("\\[" if bracket else "")
    return f"!{MARK}\\[{closing}"


def _render_formula(formula: Formula) -> str:
    # Gradio puts a formula into the page as HTML: what would be a tag or an entity there is written in LaTeX.
    body = formula.body.replace("<", r"\lt ").replace(">", r"\gt ")
    body = re.sub(r"&(?=\w|#)", "& ", body)
    dollars = "$$" if formula.is_display else "$"
    return f"{MARK}{dollars}{body}{dollars}{MARK}"
