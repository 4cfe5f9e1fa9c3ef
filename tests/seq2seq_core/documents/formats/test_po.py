from __future__ import annotations

from hypothesis import given

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.formats.po import PoFormat
from tests.whole_documents import ANSWERS, answered, texts

PO = PoFormat()
CATALOGUE = r"""# a comment
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"

#: a.c:1
#, c-format
msgctxt "menu"
msgid "Hello %s, you have <b>%d</b> \"mails\"\n"
msgstr ""

msgid "one file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""

msgid ""
"long "
"text"
msgstr ""
"old"

#~ msgid "obsolete"
#~ msgstr ""
"""


def test_messages_without_translations_are_texts() -> None:
    assert texts(PO, CATALOGUE) == [
        'Hello \ue000, you have \ue001\ue002\ue003 "mails"',
        "one file",
        "\ue000 files",
    ]
    assert texts(PO, CATALOGUE, Handling(replace=True))[-1] == "long text"


def test_translations_are_filled_in_and_nothing_else_changes() -> None:
    out = answered(PO, CATALOGUE, str.upper).decode()
    assert r'msgstr "HELLO %s, YOU HAVE <b>%d</b> \"MAILS\"\n"' in out
    assert 'msgstr[0] "ONE FILE"\nmsgstr[1] "%d FILES"' in out
    changed = [line for line in out.splitlines() if line not in CATALOGUE.splitlines()]
    assert [line.split()[0] for line in changed] == ["msgstr", "msgstr[0]", "msgstr[1]"]
    assert answered(PO, out, str.lower).decode() == out


def test_without_answers_all_stays() -> None:
    assert answered(PO, CATALOGUE, lambda _: None) == CATALOGUE.encode()


@given(ANSWERS)
def test_an_answer_is_read_as_it_was_given(answer: str) -> None:
    string = (
        answered(PO, 'msgid "one"\nmsgstr ""\n', lambda _: answer).decode().splitlines()[-1].removeprefix("msgstr ")
    )
    turned = f'msgid {string}\nmsgstr ""\n'
    assert answered(PO, turned, lambda text: text).decode() == f"msgid {string}\nmsgstr {string}\n"
    assert string.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")[1:-1] == answer
