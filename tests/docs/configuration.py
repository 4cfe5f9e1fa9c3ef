"""The configuration classes of all commands in, docs/configuration.md out; `python -m tests.docs.configuration`.

A class of keys, such as `normalize`, has a table of its own where it comes first; after that it is a link.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from pipelines.commands.table import COMMANDS
from seq2seq_core import choices
from seq2seq_core.config import Config, keys
from seq2seq_core.options import Key
from tests.docs.calls import KEYS
from tests.docs.pages import ROOT, anchor

PAGE = ROOT / "docs" / "configuration.md"
_HEAD = """\
# Configuration: which keys does each command take?

This page is generated from the configuration classes; `make docs` writes it. Keys stand in a YAML file (`--config`), or
on the command line; [commands.md](commands.md#how-are-keys-given) says how. A dot reaches into a group: the key
`optimizer.learning_rate` is `--optimizer.learning_rate` on the command line, and in YAML

```yaml
# train.yaml
optimizer:
  learning_rate: 3e-4
```
"""
_TABLE = "| key | type | default | meaning |\n|---|---|---|---|"
_MARKS = re.compile(r"([|<*_])")

Arms = tuple[type[Config], ...]


class _Writer:
    """Writes classes of keys one after the other, and knows where each stands."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._places: dict[Arms, str] = {}

    def command(self, name: str, kind: type[Config]) -> None:
        """The table of a command, and behind it a section for each group that is new."""
        self._write(kind, f"{name}: ", are_apart=True)

    def _section(self, title: str, arms: Arms, default: object) -> None:
        self.parts.append(f"### {title}\n")
        for arm in sorted(arms, key=lambda arm: not isinstance(default, arm)):
            self.parts.append(f"{_named(arm, default) if len(arms) > 1 else ''}{_about(arm)}\n")
            self._write(arm, f"{title}.", are_apart=False)

    def _write(self, kind: type[Config], above: str, *, are_apart: bool) -> None:
        """The table of a class. Groups of a command, and what lists are made of, have sections of their own."""
        shown = {key.name: key for key in keys(kind)}
        base = next((known for known in self._places if len(known) == 1 and known[0] in kind.__bases__), ())
        if base:
            self.parts.append(f"All keys of [{self._places[base]}](#{anchor(self._places[base])}), and:\n")
        rows: list[str] = []
        later: list[tuple[str, Arms, object]] = []
        inherited = {name for known in base for name in known.model_fields}
        for name, field in _in_order(kind):
            if name in inherited:
                continue
            groups, items = _groups(field), _items(field)
            found = groups or items
            is_apart = bool(found) and (are_apart or not groups)
            if is_apart and found not in self._places:
                self._places[found] = f"{above}{name}"
                later.append((f"{above}{name}", found, field.get_default(call_default_factory=True)))
            place = f"#{anchor(self._places[found])}" if is_apart else ""
            rows.append(_group(name, field, place) if groups else _line(shown[name], place))
            if groups and not is_apart:
                rows += [_line(key) for key in shown.values() if key.name.startswith(f"{name}.")]
        self.parts.append("\n".join([_TABLE, *rows, ""]))
        for section in later:
            self._section(*section)


def page() -> str:
    """The whole page."""
    writer = _Writer()
    for name, command in COMMANDS.items():
        writer.parts += [f"## {name}\n", f"{command.summary}\n", f"```text\n{command.usage}\n```\n"]
        writer.command(name, KEYS[name])
        if (following := f"{name} --follow") in KEYS:
            writer.parts += [f"## {following}\n", "Takes files as they land: [follow.md](follow.md).\n"]
            writer.command(following, KEYS[following])
    return "\n".join([_HEAD, f"Commands: {', '.join(f'[{name}](#{name})' for name in COMMANDS)}.\n", *writer.parts])


def _in_order(kind: type[Config]) -> Iterator[tuple[str, FieldInfo]]:
    """The fields as `--help` has them: a class's own before inherited ones."""
    first = dict.fromkeys(key.name.split(".")[0] for key in keys(kind))
    for name in first:
        yield name, kind.model_fields[name]


def _groups(field: FieldInfo) -> Arms:
    """The classes that a field takes one of: those of its table, or of its type."""
    choice = choices.of(field)
    return tuple(choice.table.values()) if choice else _configs(field.annotation)


def _configs(annotation: object) -> Arms:
    """The classes of a group of keys; () for a plain key and for lists of groups."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return (annotation,)
    if typing.get_origin(annotation) in (tuple, list, dict):
        return ()
    return tuple(arm for part in typing.get_args(annotation) for arm in _configs(part))


def _items(field: FieldInfo) -> Arms:
    """The class that a list is made of."""
    is_list = typing.get_origin(field.annotation) in (tuple, list)
    return tuple(
        kind
        for kind in typing.get_args(field.annotation)
        if is_list and isinstance(kind, type) and issubclass(kind, Config)
    )


def _about(kind: type[Config]) -> str:
    """The first sentence of the class."""
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())


def _named(arm: type[Config], default: object) -> str:
    """The value that chooses an arm of a union."""
    name, field = next(iter(arm.model_fields.items()))
    return f"**`{name}: {field.default}`**{' (the default)' if isinstance(default, arm) else ''}: "


def _group(name: str, field: FieldInfo, place: str) -> str:
    kind = f"[keys]({place})" if place else "keys"
    is_off = field.get_default(call_default_factory=True) is None
    default = {True: "`null`" if place else "off", False: "" if place else "on"}[is_off]
    return f"| `{name}` | {kind} | {default} | {_escaped(field.description or '')} |"


def _line(key: Key, place: str = "") -> str:
    kind = f"list of [keys]({place})" if place else _escaped(key.type_name)
    default = {"True": "`true`", "False": "`false`", "required": "required", "": "empty"}.get(key.default)
    return f"| `{key.name}` | {kind} | {default or f'`{_cell(key.default)}`'} | {_escaped(key.description)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    """Text that means itself in a cell; what stands between backticks does already."""
    return "".join(
        part if place % 2 else _MARKS.sub(r"\\\1", part) for place, part in enumerate(re.split(r"(`[^`]*`)", text))
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
