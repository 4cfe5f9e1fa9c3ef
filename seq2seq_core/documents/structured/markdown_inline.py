"""The text of a block of Markdown in, what its parser finds in it out: each piece of markup with its place.

markdown-it-py tells what it found and not where. Its rules are called by the place they look at, so each rule is
wrapped in one that notes the place.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_NOTES = "seq2seq_notes"
_REFERENCES = "references"
"""Where the parser keeps the targets that links refer to."""


@dataclass(frozen=True)
class Found:
    """A piece of markup in a text.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        shown: The text it is, as of an entity; None where it is none.
        is_line_end: Whether a line ends here.
        is_hard: Whether it ends for whoever reads it, too.
    """

    start: int
    end: int
    shown: str | None = None
    is_line_end: bool = False
    is_hard: bool = False


References = MutableMapping[str, Any]
"""The targets that links of a page refer to, as the parser keeps them."""

if TYPE_CHECKING:
    Rule = Callable[[StateInline, bool], bool]
    """A rule of the parser: its state in, whether it has found something there out."""
    Look = Callable[[StateInline, int, int], list["_Note"]]
    """The state behind a rule, where it began, and the number of tokens there were: what it has found."""


class Inline:
    """The parser, with rules that note where they find something."""

    def __init__(self) -> None:
        from markdown_it import MarkdownIt
        from markdown_it import rules_inline as rules

        self._parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        # The texts of blocks are read one by one, and delimiters must stay apart for their places to be known.
        self._parser.disable(["inline", "fragments_join"])
        wrapped: dict[str, Rule] = {
            "newline": _noting(rules.newline, _line_end),
            "escape": _noting(rules.escape, _special),
            "backticks": _noting(rules.backtick, _code),
            "strikethrough": _noting(rules.strikethrough.tokenize, _delimiters),
            "emphasis": _noting(rules.emphasis.tokenize, _delimiters),
            "link": _noting_label(rules.link, 1),
            "image": _noting_label(rules.image, 2),
            "autolink": _noting(rules.autolink, _whole),
            "html_inline": _noting(rules.html_inline, _whole),
            "entity": _noting(rules.entity, _special),
        }
        for name, rule in wrapped.items():
            self._parser.inline.ruler.at(name, rule)

    def blocks(self, text: str, references: References) -> Sequence[Token]:
        """The tokens of the blocks of a page; those of texts are not taken apart. References that are new are added."""
        env: dict[str, Any] = {_REFERENCES: references}
        return list(self._parser.parse(text, env))

    def found(self, content: str, references: References) -> list[Found]:
        """What stands in the text of a block, in order and apart."""
        notes: list[_Note] = []
        self._parser.inline.parse(content, self._parser, {_REFERENCES: references, _NOTES: notes}, [])
        found = [note.found for note in notes if note.counts]
        return sorted(found, key=lambda one: (one.start, one.end))


@dataclass(frozen=True)
class _Note:
    """What a rule has found; a delimiter counts where it has become markup."""

    found: Found
    delimiter: Token | None = None

    @property
    def counts(self) -> bool:
        return self.delimiter is None or self.delimiter.type != "text" or not self.delimiter.content


def _noting(rule: Rule, look: Look) -> Rule:
    def run(state: StateInline, silent: bool) -> bool:
        start, tokens = state.pos, len(state.tokens)
        found = rule(state, silent)
        if found and not silent and _NOTES in state.env:
            state.env[_NOTES] += look(state, start, tokens)
        return found

    return run


def _noting_label(rule: Rule, width: int) -> Rule:
    """A link or an image: what stands before and behind its label. The texts inside an image are no markup."""

    def run(state: StateInline, silent: bool) -> bool:
        start = state.pos
        notes = state.env.get(_NOTES)
        before = len(notes or ())
        found = rule(state, silent)
        if found and not silent and notes is not None:
            after = state.pos
            if width > 1:
                del notes[before:]
            state.pos = start
            end = state.md.helpers.parseLinkLabel(state, start + width - 1, width == 1)
            state.pos = after
            notes += (_Note(Found(start, start + width)), _Note(Found(end, after)))
        return found

    return run


def _line_end(state: StateInline, start: int, tokens: int) -> list[_Note]:
    del tokens
    begin = len(state.src[:start].rstrip(" "))
    return [_Note(Found(begin, state.pos, is_line_end=True, is_hard=state.tokens[-1].type == "hardbreak"))]


def _special(state: StateInline, start: int, tokens: int) -> list[_Note]:
    """A backslash and what it escapes, or an entity."""
    del tokens
    if state.tokens[-1].type == "hardbreak":
        return [_Note(Found(start, state.pos, is_line_end=True, is_hard=True))]
    return [_Note(Found(start, state.pos, state.tokens[-1].content))]


def _code(state: StateInline, start: int, tokens: int) -> list[_Note]:
    """Back-ticks that are no code are text."""
    is_code = len(state.tokens) > tokens and state.tokens[-1].type == "code_inline"
    return [_Note(Found(start, state.pos))] if is_code else []


def _whole(state: StateInline, start: int, tokens: int) -> list[_Note]:
    del tokens
    return [_Note(Found(start, state.pos))]


def _delimiters(state: StateInline, start: int, tokens: int) -> list[_Note]:
    """The last tokens are what a run of delimiters is made of."""
    del tokens
    notes: list[_Note] = []
    end, place = state.pos, len(state.tokens)
    while start < end:
        place -= 1
        token = state.tokens[place]
        notes.append(_Note(Found(end - len(token.content), end), token))
        end -= len(token.content)
    return notes
