"""Which package may import which: functions run in Lambda, builds in CodeBuild, the rehearsal never in AWS.

No module and no room imports itself through others. Imports are read from the source, including those inside
functions.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from itertools import pairwise
from pathlib import Path

from buildspecs.paths import ROOT

FUNCTIONS = tuple(path.parent.name for path in sorted((ROOT / "lambdas").glob("*/__init__.py")))
# Top-level package → the packages of this repository that it may import in addition to itself.
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(FUNCTIONS, frozenset()),
    "buildspecs": frozenset(),
    "rehearsal": frozenset({"buildspecs"}),
    "tests": frozenset({*FUNCTIONS, "buildspecs", "rehearsal"}),
    "benchmarks": frozenset({*FUNCTIONS, "buildspecs", "rehearsal", "tests"}),
}
Graph = Mapping[str, frozenset[str]]


def module_name(path: Path) -> str:
    """The name by which a file is imported; the functions are packages of their own."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[parts[0] == "lambdas" :]).removesuffix(".__init__")


def source_files() -> dict[str, Path]:
    """Module → file, of the whole repository."""
    folders = (f"lambdas/{name}" if name in FUNCTIONS else name for name in MAY_IMPORT)
    return {module_name(path): path for folder in folders for path in (ROOT / folder).rglob("*.py")}


def imported(source: str, package: str = "") -> set[tuple[str, str]]:
    """(module, name) of everything that a source imports; the name is empty for `import module`.

    `package` is the one that contains the source, from which a relative import starts.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            found |= {(module, alias.name) for alias in node.names}
    return found


@cache
def imports() -> Graph:
    """Module → the modules of this repository that it imports.

    `from package import module` counts for the module only, although Python also runs the package's
    __init__: otherwise an __init__ that imports its own modules would always be in a circle.
    """
    files = source_files()
    found = {}
    for module, path in files.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        targets = {
            f"{origin}.{name}" if f"{origin}.{name}" in files else origin
            for origin, name in imported(path.read_text(encoding="utf-8"), package)
        }
        found[module] = frozenset(target for target in targets if target.split(".")[0] in MAY_IMPORT)
    return found


def room(module: str) -> str:
    """The room of a module: the function, or the first folder or file of any other package."""
    package, *rest = module.split(".")
    return ".".join([package, *rest[:1]]) if package not in FUNCTIONS else package


def rooms(graph: Graph) -> Graph:
    """The same imports between rooms."""
    found: dict[str, set[str]] = {}
    for module, others in graph.items():
        found.setdefault(room(module), set()).update(map(room, others))
    return {name: frozenset(others - {name}) for name, others in found.items()}


def circle(graph: Graph) -> list[str]:
    """A circle of imports, if there is one: each imports the next, and the last is the first."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_module_imports_itself_through_others() -> None:
    assert not (found := circle(imports())), " imports ".join(found)


def test_no_room_imports_itself_through_others() -> None:
    example = {
        (room(module), room(other)): f"{module} imports {other}"
        for module, others in imports().items()
        for other in others
    }
    found = list(pairwise(circle(rooms(imports()))))
    assert not found, "; ".join(example[pair] for pair in found)


def test_a_package_imports_only_what_exists_where_it_runs() -> None:
    strangers = [
        f"{module} imports {other}: {package} may import only {', '.join(sorted(allowed)) or 'itself'}"
        for package, allowed in MAY_IMPORT.items()
        for module, others in imports().items()
        for other in others
        if module.split(".")[0] == package and other.split(".")[0] not in {package, *allowed}
    ]
    assert not strangers, "; ".join(strangers)


def graph(*imports: tuple[str, str]) -> Graph:
    modules = {module for pair in imports for module in pair}
    return {module: frozenset(other for one, other in imports if one == module) for module in modules}


def test_a_circle_is_named_from_its_beginning_to_its_beginning() -> None:
    found = circle(graph(("a.x.one", "a.y.two"), ("a.y.two", "a.z.three"), ("a.z.three", "a.y.two")))
    assert found in (["a.y.two", "a.z.three", "a.y.two"], ["a.z.three", "a.y.two", "a.z.three"])


def test_rooms_import_each_other_although_their_modules_do_not() -> None:
    apart = graph(("a.x.one", "a.y.two"), ("a.y.three", "a.x.four"))
    assert circle(apart) == []
    assert len(circle(rooms(apart))) == 3


def test_every_form_of_import_counts() -> None:
    source = "import a.b\nfrom c.d import e\ndef f():\n    from g import h as i\nfrom .. import j\n"
    assert imported(source, "p.q") == {("a.b", ""), ("c.d", "e"), ("g", "h"), ("p", "j")}
