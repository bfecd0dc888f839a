"""What of a piece of our HTML is markup, to show that text from outside adds none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html.parser import HTMLParser

from tests.fakes.hostile_outputs import Hostile

HARMLESS = "plain words"
# A line that begins with one of these is HTML until a blank line (CommonMark 4.6, condition 6): Markdown
# in it stays as it is. Behind a <span> it would be read as Markdown.
BLOCKS = (
    "div",
    "nav",
    "ul",
    "ol",
    "section",
    "details",
    "table",
    "p",
    "h1",
    "h2",
    "h3",
    "header",
    "aside",
    "form",
)

# A place where a long word may be broken: it shows nothing and does nothing.
PLAIN = ("wbr",)


def read_skeleton(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The tags of some HTML with the names of their attributes, closing tags with a slash.

    Example:
        >>> read_skeleton('<p class="a">x</p>')
        [('p', ('class',)), ('/p', ())]
    """
    found: list[tuple[str, tuple[str, ...]]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in PLAIN:
                found.append((tag, tuple(name for name, _ in attrs)))

        def handle_endtag(self, tag: str) -> None:
            found.append(("/" + tag, ()))

        def handle_comment(self, _: str) -> None:
            found.append(("!--", ()))

        def handle_decl(self, _: str) -> None:
            found.append(("!", ()))

        def handle_pi(self, _: str) -> None:
            found.append(("?", ()))

    parser = Parser()
    parser.feed(html)
    parser.close()
    return found


def find_markup(render: Callable[[str], str], entries: Iterable[Hostile]) -> list[str]:
    """The names of the entries that are more than text in what a function makes of them.

    For HTML of ours that goes through gr.Markdown(sanitize_html=False): there must be no blank line in it,
    and it must begin with a block, or the rest of it would be read as Markdown.

    Args:
        render: text from outside → HTML.
        entries: what to try.
    """
    wanted = read_skeleton(render(HARMLESS))
    return [entry.name for entry in entries if not _is_text(render(entry.markdown), wanted)]


def _is_text(html: str, wanted: list[tuple[str, tuple[str, ...]]]) -> bool:
    is_one_block = "\n\n" not in html.replace("\r", "\n") and html.lstrip().startswith(
        tuple(f"<{tag}" for tag in BLOCKS)
    )
    return is_one_block and read_skeleton(html) == wanted
