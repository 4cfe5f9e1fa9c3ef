"""A code or a suffix in; whether it names a language, and whether that one is written with spaces, out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from seq2seq_core.text.iso639 import ALIASES, CODES, TWO_LETTERS

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})([-_](?P<script>[a-z]{4}))?([-_]([a-z]{2}|\d{3}))?([-_]([a-z\d]{5,8}|\d[a-z\d]{3}))*",
    re.ASCII | re.IGNORECASE,
)

_MEMBERS = {  # the member of a macrolanguage that corpora mean by its code of two letters
    "arb": "ar", "azj": "az", "cmn": "zh", "ekk": "et", "gaz": "om", "khk": "mn", "kmr": "ku", "lvs": "lv", "npi": "ne",
    "ory": "or", "pes": "fa", "plt": "mg", "prs": "fa", "swh": "sw", "uzn": "uz", "ydd": "yi", "zsm": "ms",
}  # fmt: skip

_UNSPACED_LANGUAGES = frozenset(
    {"bo", "cdo", "cjy", "dz", "gan", "hak", "hsn", "ja", "km", "lo", "lzh", "my", "nan", "th", "wuu", "yue", "zh"}
)
_UNSPACED_SCRIPTS = frozenset(
    {"hani", "hans", "hant", "hira", "hrkt", "jpan", "kana", "khmr", "laoo", "mymr", "thai", "tibt"}
)

_FORMATS = frozenset({"bak", "cr", "cu", "gv", "ii", "kv", "run", "sh", "ts"})
"""Codes that are better known as formats: backups, Crystal, CUDA, Graphviz, preprocessed C++, Kivy, installers, shell
scripts, TypeScript and Qt's translations.

A suffix that is both stays a language where corpora come in it: Czech (C#), Polish (Perl), Turkish (troff), Greek
(Lisp), Macedonian (make), Malayalam (OCaml), Swedish (SystemVerilog), Pashto (PostScript), Portuguese (PyTorch), Somali
(shared objects). What is binary fails line by line where it is taken for text.
"""

_MOST_NAMED = 3


def is_language(code: str) -> bool:
    """Whether a code is one of ISO 639 (`en`, `deu`), with script, region and variants or without (`zh-Hant`)."""
    found = _TAG.fullmatch(code)
    return found is not None and found["language"].lower() in CODES


def short_code(code: str) -> str:
    """The language of a code, in two letters where it has them: `pt` of `pt-BR` and of `por`, `zh` of `zho_Hant`."""
    language = re.split("[-_]", code.lower())[0]
    return ALIASES.get(language) or _MEMBERS.get(language, language)


def common_language(codes: Iterable[str | None]) -> str | None:
    """The code that all agree on; `en` of `en-GB` and `en-US`; None without one. What is no code says nothing."""
    told = {code for code in codes if code is not None and is_language(code)}
    for distinct in (told, {short_code(code) for code in told}):
        if len(distinct) == 1:
            return distinct.pop()
    return None


def close_codes(word: str) -> list[str]:
    """Codes that may be meant by a word that is none: `de` by `german`, `en` by `english` and by `en.UTF-8`.

    The codes of three letters are mostly the first ones of a language's name, in English or its own.
    """
    letters = re.sub("[^a-z].*", "", word.lower().strip("./\\ "))
    named = [letters[:3]] if letters[:3] in ALIASES else []
    named += [letters[:2]] if letters[:2] in TWO_LETTERS else []
    named = named or difflib.get_close_matches(letters, sorted(ALIASES), _MOST_NAMED)
    return list(dict.fromkeys(map(short_code, named)))[:_MOST_NAMED]


def uses_spaces(code: str | None) -> bool | None:
    """Whether a language has spaces between its words; None where the language is not known.

    A script in the code wins: `zh-Latn` has spaces.
    """
    if code is None or not is_language(code):
        return None
    found = _TAG.fullmatch(code)
    script = found["script"] if found else None
    if script is not None:
        return script.lower() not in _UNSPACED_SCRIPTS
    return short_code(code) not in _UNSPACED_LANGUAGES


def is_language_suffix(suffix: str) -> bool:
    """Whether the suffix of a file (`.de`, `.pt_BR`, `.eng_Latn`, with its dot) names the language of a text in it.

    A bare code of three letters has to be that of a language which has two as well: many others are formats (`.csv`,
    `.txt`). With a script or a region any code will do.
    """
    code = suffix.removeprefix(".")
    if code == suffix or not is_language(code):
        return False
    if len(code) > 3:
        return True
    return code.lower() not in _FORMATS and (
        code.lower() in TWO_LETTERS or (len(code) == 3 and code.lower() in ALIASES)
    )
