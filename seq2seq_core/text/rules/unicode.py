"""Names of Unicode properties in, lookup tables over all code points out; and the scripts a language is written in.

Membership is asked of RE2, the regular expressions inside Arrow, whose tables carry Unicode's scripts (Python's
`unicodedata` does not).
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.text.code_points import Members

LETTER = r"\p{L}\p{M}"
DIGIT = r"\p{Nd}"
NUMBER = r"\p{N}"
SYMBOL = r"\p{S}"
SPACE = r"\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
"""White space beyond ASCII, as Python's `str.split()` knows it."""
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts written without a space between words."""

_ASSIGNED = ((0x80, 0xD800), (0xE000, 0x32400), (0xE0000, 0xE0200))  # no letter, digit or space stands elsewhere

_LANGUAGES_OF_SCRIPTS = {
    "Latin": (
        "af an ast bcl br ca ceb co cs cy da de dsb en eo es et eu ext fi fil fo fr fur fuv fy ga gcf gcr gd gl gn gug "
        "guw gv hr hsb ht hu id ie ig io ilo is it jv kab ki kik la lb lg li lij lmo ln lt ltg lv mg mi mt nb nl nn no "
        "nso oc om pam pcm pl pms pt qu rm rn ro rw sc scn se sk sl sm sn sq st su sv sw szl tl tn to tr ts ve vec vi "
        "vls vo wa war wo xh yo za zea zu"
    ),
    "Cyrillic": "av ba be bg ce cv kk ky mk mn os ru sah tg tt tyv udm uk",
    "Latin Cyrillic": "az bs cnr crh sh sr tk uz",
    "Latin Arabic": "ha ku ms so",
    "Arabic": "ar ary arz azb ckb fa prs ps sd sdh ug ur",
    "Hiragana Katakana Han": "ja",
    "Han": "hak lzh nan wuu yue zh",
    "Hangul Han": "ko",
    "Devanagari": "awa bho gom hi hne mag mai mr ne sa",
    "Bengali": "as bn mni",
    "Gurmukhi Arabic": "pa",
    "Gujarati": "gu",
    "Oriya": "or",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Khmer": "km",
    "Myanmar": "my",
    "Tibetan": "bo dz",
    "Ol_Chiki": "sat",
    "Greek": "el grc",
    "Hebrew": "hbo he iw yi",
    "Georgian": "ka",
    "Armenian": "hy",
    "Ethiopic": "am ti",
    "Thaana": "dv",
    "Cherokee": "chr",
}
_SCRIPTS_OF_LANGUAGE = {
    language: tuple(scripts.split())
    for scripts, languages in _LANGUAGES_OF_SCRIPTS.items()
    for language in languages.split()
}

_SCRIPTS_OF_TAG = {
    "latn": ("Latin",),
    "cyrl": ("Cyrillic",),
    "arab": ("Arabic",),
    "hans": ("Han",),
    "hant": ("Han",),
    "hani": ("Han",),
    "jpan": ("Hiragana", "Katakana", "Han"),
    "kore": ("Hangul", "Han"),
    "hang": ("Hangul",),
    "hebr": ("Hebrew",),
    "grek": ("Greek",),
    "deva": ("Devanagari",),
    "beng": ("Bengali",),
    "guru": ("Gurmukhi",),
    "mong": ("Mongolian",),
    "tibt": ("Tibetan",),
}


@functools.cache
def members(character_class: str) -> Members:
    """Which code points beyond ASCII are in a class of RE2's syntax, without its brackets."""

    def build(limit: int) -> npt.NDArray[np.bool_]:
        table = np.zeros(limit, np.bool_)
        points, characters = _assigned(limit)
        found = pc.match_substring_regex(characters, f"[{character_class}]")
        table[points] = found.to_numpy(zero_copy_only=False)
        return table

    return Members(build)


@functools.cache
def script_letters(scripts: tuple[str, ...] = ()) -> Members:
    """Which code points beyond ASCII are letters of some scripts, or of any one script.

    Letters that scripts share (the Japanese sign for a long vowel, combining accents) belong to none.
    """

    def build(limit: int) -> npt.NDArray[np.bool_]:
        of_one = members(LETTER).below(limit) & ~members(r"\p{Common}\p{Inherited}").below(limit)
        wanted = [members(rf"\p{{{name}}}").below(limit) for name in scripts]
        return of_one & np.logical_or.reduce(wanted) if scripts else of_one

    return Members(build)


def is_script(name: str) -> bool:
    """Whether Unicode has a script of this name (`Han`, `Cyrillic`)."""
    try:
        pc.match_substring_regex(pa.array([""], pa.string()), rf"\p{{{name}}}")
    except pa.ArrowInvalid:
        return False
    return name[:1].isupper() and len(name) > 2


def primary_language(code: str) -> str:
    """The language of a tag: `pt` of `pt-BR`, `zh` of `zh_Hant`."""
    return code.replace("_", "-").split("-")[0].lower()


def scripts_of(code: str | None) -> tuple[str, ...]:
    """The scripts a language is written in (Unicode CLDR's likely ones); none where the language is not known.

    A script in the tag (`sr-Latn`, `zh_Hant`) wins.
    """
    if code is None:
        return ()
    for part in code.replace("_", "-").lower().split("-")[1:]:
        if part in _SCRIPTS_OF_TAG:
            return _SCRIPTS_OF_TAG[part]
    return _SCRIPTS_OF_LANGUAGE.get(primary_language(code), ())


@functools.cache
def _assigned(limit: int) -> tuple[npt.NDArray[np.uint32], pa.StringArray]:
    """Code points beyond ASCII and below a limit that may have a property, and each as a text."""
    points = np.concatenate([np.arange(first, min(end, limit), dtype=np.uint32) for first, end in _ASSIGNED])
    return points, pa.array(list(points.tobytes().decode("utf-32-le")), pa.string())
