"""The walls of the house, and its numbers: what no linter measures.

A module belongs to the folder it lies in. So a folder's own modules may import those of its inner rooms, or the other
way round, but never both. An import counts wherever it stands: at the top, in a function, for types alone.
"""

from __future__ import annotations

import ast
import graphlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = [ROOT / "pipelines", ROOT / "seq2seq_core"]

MOST_FILE_LINES, MOST_BODY_LINES = 400, 60
FEWEST_FILES, MOST_FILES = 3, 15
LEAST_TESTS = 0.8
SMALL_FOR_NOW: dict[str, str] = {}

Graph = Mapping[str, set[str]]


def files(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def modules(folders: Iterable[Path]) -> dict[str, ast.Module]:
    """All modules below these folders by their dotted names, packages themselves left out."""
    return {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts): ast.parse(path.read_text())
        for folder in folders
        for path in files([folder])
        if path.name != "__init__.py"
    }


def imports(known: Mapping[str, ast.Module]) -> Graph:
    """The modules that each module imports."""
    return {name: {found for found in _imported(tree) if found in known} for name, tree in known.items()}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of_folders(graph: Graph) -> Graph:
    """The folders that each folder's modules import from."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, others in graph.items():
        folder = module.rpartition(".")[0]
        found[folder] |= {other.rpartition(".")[0] for other in others} - {folder}
    return found


def circle(graph: Graph) -> list[str]:
    """One that the graph has, each importing the next; none where it has none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [str(name) for name in reversed(error.args[1])]
    return []


def bodies(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of every function's body, its docstring left out, and where it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[ast.get_docstring(node) is not None :]
            lines = body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno else 0
            yield lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def count_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = imports(modules(CODE))
    assert len(graph) > 200
    assert circle(graph) == []


def test_no_folder_imports_itself_by_way_of_others() -> None:
    graph = of_folders(imports(modules(CODE)))
    assert len(graph) > 20
    assert circle(graph) == []


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("from house.room import door", "from house.room.cupboard import shelf"),
        ("import house.room.door", "def open():\n    from house.room.cupboard import shelf"),
        ("from house.room.door import x", "if TYPE_CHECKING:\n    import house.room.cupboard.shelf"),
    ],
)
def test_a_circle_is_seen_wherever_an_import_stands(inner: str, outer: str, tmp_path: Path) -> None:
    """No module imports itself here, but the folder and its inner room import each other."""
    room = tmp_path / "house" / "room"
    (room / "cupboard").mkdir(parents=True)
    for name, text in {"cupboard/shelf": "", "cupboard/box": inner, "door": "", "wall": outer}.items():
        (room / f"{name}.py").write_text(f"{text}\n")
    graph = imports(modules([tmp_path / "house"]))
    assert circle(graph) == []
    found = circle(of_folders(graph))
    assert found[0] == found[-1]
    assert set(found) == {"house.room", "house.room.cupboard"}


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    assert {str(path): lines for path in files(CODE) if (lines := count_lines(path)) > MOST_FILE_LINES} == {}


def test_no_function_is_too_long_to_be_seen_at_once() -> None:
    assert [found for path in files(CODE) for found in bodies(path) if found[0] > MOST_BODY_LINES] == []


def test_every_folder_has_a_few_files_and_not_too_many() -> None:
    """Where a folder has inner rooms, it may have few or many besides."""
    counts = Counter(path.parent for path in files(CODE) if path.name != "__init__.py")
    has_rooms = {folder for folder in counts if any(folder in other.parents for other in counts)}
    of_odd_size = {
        folder.relative_to(ROOT).as_posix()
        for folder, count in counts.items()
        if folder not in has_rooms and not FEWEST_FILES <= count <= MOST_FILES
    }
    assert of_odd_size == set(SMALL_FOR_NOW)


def test_packages_hold_nothing_themselves() -> None:
    inits = [path for path in files(CODE) if path.name == "__init__.py"]
    assert [str(path) for path in inits if path.read_bytes()] == []
    assert {path.parent for path in files(CODE)} == {path.parent for path in inits}


def test_there_is_nearly_as_much_test_as_code() -> None:
    tests = [path for path in files([ROOT / "tests"]) if "benchmarks" not in path.parts]
    code, test = (sum(map(count_lines, paths)) for paths in (files(CODE), tests))
    assert test / code >= LEAST_TESTS
