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

LETTER = r"\p{L}\p{M}"
DIGIT = r"\p{Nd}"
SYMBOL = r"\p{S}"
SPACE = r"\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
"""White space beyond ASCII, as Python's `str.split()` knows it."""
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts written without a space between words."""

_CODE_POINTS = 0x110000
_ASSIGNED = ((0x80, 0xD800), (0xE000, 0x32400), (0xE0000, 0xE0200))  # no letter, digit or space stands elsewhere

_SCRIPT_OF_LANGUAGE = {
    **dict.fromkeys(["ja"], ("Hiragana", "Katakana", "Han")),
    **dict.fromkeys(["zh", "yue", "wuu", "lzh", "hak", "nan"], ("Han",)),
    **dict.fromkeys(["ko"], ("Hangul", "Han")),
    **dict.fromkeys(
        ["ru", "uk", "be", "bg", "mk", "kk", "ky", "tg", "tt", "ba", "cv", "os", "ce", "av", "sah", "mn", "udm", "tyv"],
        ("Cyrillic",),
    ),
    **dict.fromkeys(["sr", "uz", "tk", "az", "bs", "sh", "cnr", "crh"], ("Latin", "Cyrillic")),
    **dict.fromkeys(["ar", "fa", "ur", "ps", "ug", "sd", "ckb", "sdh", "arz", "ary", "prs", "azb"], ("Arabic",)),
    **dict.fromkeys(["ku", "ms", "ha", "so"], ("Latin", "Arabic")),
    **dict.fromkeys(["pa"], ("Gurmukhi", "Arabic")),
    **dict.fromkeys(["he", "yi", "hbo"], ("Hebrew",)),
    **dict.fromkeys(["el", "grc"], ("Greek",)),
    **dict.fromkeys(["hi", "mr", "ne", "sa", "mai", "bho", "gom", "awa", "hne", "mag"], ("Devanagari",)),
    **dict.fromkeys(["bn", "as"], ("Bengali",)),
    **{
        language: (script,)
        for language, script in {
            "gu": "Gujarati",
            "or": "Oriya",
            "ta": "Tamil",
            "te": "Telugu",
            "kn": "Kannada",
            "ml": "Malayalam",
            "si": "Sinhala",
            "th": "Thai",
            "lo": "Lao",
            "km": "Khmer",
            "my": "Myanmar",
            "bo": "Tibetan",
            "dz": "Tibetan",
            "ka": "Georgian",
            "hy": "Armenian",
            "am": "Ethiopic",
            "ti": "Ethiopic",
            "dv": "Thaana",
            "chr": "Cherokee",
            "sat": "Ol_Chiki",
            "mni": "Bengali",
        }.items()
    },
    **dict.fromkeys(
        [
            "af",
            "an",
            "ast",
            "bcl",
            "br",
            "ca",
            "ceb",
            "co",
            "cs",
            "cy",
            "da",
            "de",
            "en",
            "eo",
            "es",
            "et",
            "eu",
            "ext",
            "fi",
            "fil",
            "fo",
            "fr",
            "fuv",
            "fur",
            "fy",
            "ga",
            "gcf",
            "gcr",
            "gd",
            "gl",
            "gn",
            "gug",
            "guw",
            "gv",
            "hr",
            "ht",
            "hu",
            "hsb",
            "dsb",
            "id",
            "ie",
            "ig",
            "io",
            "ilo",
            "is",
            "it",
            "jv",
            "kab",
            "kik",
            "ki",
            "la",
            "lb",
            "lg",
            "li",
            "lij",
            "lmo",
            "ln",
            "lt",
            "ltg",
            "lv",
            "mg",
            "mi",
            "mt",
            "nb",
            "nl",
            "nn",
            "no",
            "nso",
            "oc",
            "om",
            "pam",
            "pcm",
            "pl",
            "pms",
            "pt",
            "qu",
            "rm",
            "rn",
            "ro",
            "rw",
            "sc",
            "scn",
            "se",
            "sk",
            "sl",
            "sm",
            "sn",
            "sq",
            "st",
            "su",
            "sv",
            "sw",
            "szl",
            "tl",
            "tn",
            "to",
            "tr",
            "ts",
            "ve",
            "vec",
            "vi",
            "vls",
            "vo",
            "wa",
            "war",
            "wo",
            "xh",
            "yo",
            "za",
            "zu",
            "zea",
        ],
        ("Latin",),
    ),
}

_SCRIPT_OF_TAG = {
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
def members(character_class: str) -> npt.NDArray[np.bool_]:
    """Which code points beyond ASCII are in a class of RE2's syntax, without its brackets (bool, 0x110000).

    Built once a process, in tens of milliseconds.
    """
    table = np.zeros(_CODE_POINTS, np.bool_)
    points, characters = _assigned()
    found = pc.match_substring_regex(characters, f"[{character_class}]")
    table[points] = found.to_numpy(zero_copy_only=False)
    return table


@functools.cache
def script_letters(scripts: tuple[str, ...] = ()) -> npt.NDArray[np.bool_]:
    """Which code points beyond ASCII are letters of some scripts, or of any one script (bool, 0x110000).

    Letters that scripts share (the Japanese sign for a long vowel, combining accents) belong to none.
    """
    of_one: npt.NDArray[np.bool_] = members(LETTER) & ~members(r"\p{Common}\p{Inherited}")
    return of_one & members("".join(rf"\p{{{name}}}" for name in scripts)) if scripts else of_one


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
        if part in _SCRIPT_OF_TAG:
            return _SCRIPT_OF_TAG[part]
    return _SCRIPT_OF_LANGUAGE.get(primary_language(code), ())


@functools.cache
def _assigned() -> tuple[npt.NDArray[np.uint32], pa.StringArray]:
    """Code points beyond ASCII that may have a property, and each as a text."""
    points = np.concatenate([np.arange(first, end, dtype=np.uint32) for first, end in _ASSIGNED])
    return points, pa.array(list(points.tobytes().decode("utf-32-le")), pa.string())
