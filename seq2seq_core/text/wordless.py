"""A segment in, whether there is nothing to translate in it out: numbers, addresses, code."""

from __future__ import annotations

import re

from seq2seq_core.text.marks import MARKS

_SURROUNDED = re.compile(r"^[\"'(\[{<\u00ab\u2018-\u201f]*(.*?)[\"')\]}>\u00bb\u2018-\u201f.,;:!?]*$", re.DOTALL)
_LONGEST = 2000
_ADDRESS = (
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://|www\.)\S+",
    r"(?:mailto:)?[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
)
_CODE = (
    r"(?:~|\.{1,2})?(?:/[\w.@+-]+){2,}/?",  # a path
    r"(?:~|\.{1,2})/[\w.@+-]+/?",
    r"[A-Za-z]:\\\S+",
    r"--?[A-Za-z][\w-]*(?:=\S*)?",  # an option
    r"[\w.]*\w\(\)",  # a call
    r"\w*[A-Za-z0-9]_\w+",  # a name of several words
    r"\$\{?\w+\}?|%\w+%|\{\{.*\}\}|%\(\w+\)[sdf]",
    r"0x[0-9A-Fa-f]+|#[0-9A-Fa-f]{6}|[0-9a-f]{32,64}",
    r"</?[A-Za-z][^<>]*>|&\w+;",
)
_WORDLESS = re.compile("|".join((*_ADDRESS, *_CODE)))


def is_wordless(text: str) -> bool:
    """Whether a segment has no letter, or no word but addresses and code.

    What could be a word is one: a name, an abbreviation, a word with a hyphen or an apostrophe.
    """
    text = MARKS.sub(" ", text)
    if not any(map(str.isalpha, text)):
        return True
    if len(text) > _LONGEST:
        return False
    return all(_is_no_word(token) for token in text.split())


def _is_no_word(token: str) -> bool:
    if not any(map(str.isalpha, token)) or _WORDLESS.fullmatch(token):
        return True
    core = _SURROUNDED.match(token)
    return core is not None and _WORDLESS.fullmatch(core[1]) is not None
