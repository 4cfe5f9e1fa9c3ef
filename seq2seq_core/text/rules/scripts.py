"""A language in, the scripts it is written in, by the names that Unicode gives them, out."""

from __future__ import annotations

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
