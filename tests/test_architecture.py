"""Who may import whom: the layering table as data, checked on the syntax trees of all files.

Imports inside functions count as well: an arrow is an arrow. Under ``TYPE_CHECKING`` arrows between our own rooms
count, names of other libraries do not. The standard library is free.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("isrflow", "registry", "flows", "migrations")

# Small third-party helpers anyone above the kernels may use; everything else a room may import stands in its row.
SMALL = frozenset({"typing_extensions", "annotated_types"})


@dataclass(frozen=True)
class Room:
    """One row of the layering table."""

    name: str
    ours: frozenset[str]
    """Rooms and modules that may be imported besides the room itself."""
    theirs: frozenset[str] = frozenset()


def room(name: str, ours: str = "", theirs: str = "") -> Room:
    return Room(name, frozenset(ours.split()), frozenset(theirs.split()))


CORE = "isrflow.errors isrflow.kernels"
VALUES = f"{CORE} isrflow.frame isrflow.calibs"
RECIPES = "isrflow.recipe isrflow.recipe_lsst"
REGISTRY_WORDS = "registry.errors registry.timespan registry.times registry.dimensions registry.canonical registry.refs"

TABLE = [
    room("isrflow", "", ""),  # the face: lazy
    room("isrflow.errors"),
    room("isrflow.kernels", "", "numpy scipy numba"),
    room("isrflow.frame", CORE, "numpy astropy pydantic yaml"),
    room("isrflow.calibs", f"{CORE} isrflow.frame", "numpy astropy pydantic yaml"),
    room("isrflow.steps", VALUES, "numpy scipy astropy pydantic"),
    room("isrflow.makers", f"{VALUES} isrflow.steps {RECIPES} isrflow.run", "numpy scipy astropy pydantic"),
    room("isrflow.simulate", VALUES, "numpy scipy astropy pydantic yaml"),
    room("isrflow.lsst_names", "isrflow.errors"),
    room("isrflow.recipe", f"{VALUES} isrflow.steps isrflow.lsst_names", "pydantic"),
    room("isrflow.recipe_lsst", f"{VALUES} isrflow.steps isrflow.lsst_names", "pydantic"),
    room("isrflow.run", f"{VALUES} isrflow.steps isrflow.recipe", "numpy"),
    room(
        "isrflow.quantum",
        f"{VALUES} isrflow.steps {RECIPES} isrflow.run isrflow.__version__ {REGISTRY_WORDS} registry.butler",
        "numpy astropy",
    ),
    room("isrflow.task", f"{VALUES} isrflow.steps {RECIPES} isrflow.run isrflow.quantum isrflow.lsst_names", "numpy"),
    room(
        "flows",
        "isrflow registry migrations",
        "numpy scipy astropy pydantic yaml typer rich jinja2 matplotlib PIL pebble starlette dask",
    ),
    room("migrations", "registry.sql registry.errors", "alembic sqlalchemy"),
    room("registry", "", ""),  # the face: lazy
]

# registry's own floors: a module imports from its own floor and from lower ones.
REGISTRY_FLOORS = (
    ("canonical", "owner", "errors", "remedies", "words"),
    ("timespan", "times", "dimensions", "names"),
    ("refs", "contexts", "resolution"),
    ("sql", "datastore"),
    ("location", "migrate", "repository"),
    ("outputs", "presence", "reading", "refusals", "schema_check"),
    (
        "query",
        "resolve",
        "finding",
        "explain",
        "explain_certify",
        "explanation",
        "lineage",
        "prov",
        "questions",
        "moving",
        "publish",
        "planning",
        "recover",
        "ingest",
        "delete",
        "garbage",
        "audit",
    ),
    ("face",),
    ("butler",),
)
REGISTRY_THEIRS = frozenset(
    {"sqlalchemy", "astropy", "lark", "fsspec", "pydantic", "alembic", "pandas", "s3fs", "botocore"}
)
SQLALCHEMY = tuple(
    f"registry.{name}"
    for name in (
        "sql",
        "migrate",
        "repository",
        "query",
        "resolve",
        "finding",
        "explain",
        "explain_certify",
        "lineage",
        "prov",
        "questions",
        "moving",
    )
)
ONLY_IN = {
    "numba": ("isrflow.kernels",),
    "sklearn": ("isrflow.kernels.gaussian_process",),
    "threadpoolctl": ("isrflow.kernels.gaussian_process",),
    "sqlalchemy": (*SQLALCHEMY, "migrations"),
    "pytest": ("registry.datastore.contract",),  # shipped, so that a new backend can be put under the same tests
    "prefect": ("flows.engine_prefect", "flows.deploy"),
    "lsst": ("flows.interop.butler_read",),
    "matplotlib": ("flows",),
    "rich": ("flows",),
    "typer": ("flows",),
    "jinja2": ("flows",),
    "pebble": ("flows",),
}


@dataclass(frozen=True)
class Import:
    """One import statement's target: ``from a.b import c`` is ``a.b.c`` when that is a module, else ``a.b``."""

    target: str
    line: int
    at_top: bool
    for_types: bool = False


def modules() -> dict[str, Path]:
    found = {}
    for top in OURS:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return tuple(_imports(tree, module, at_top=True))


def _imports(node: ast.AST, module: str, *, at_top: bool, for_types: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_top, for_types) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module}:{child.lineno} imports relatively; write the whole name"
            for alias in child.names:
                full = f"{child.module}.{alias.name}"
                known = full in MODULES or alias.name == "__version__"
                yield Import(full if known else str(child.module), child.lineno, at_top, for_types)
        else:
            types = for_types or _is_type_checking(child)
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) or types
            yield from _imports(child, module, at_top=at_top and not inside, for_types=types)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def is_within(module: str, place: str) -> bool:
    return module == place or module.startswith(place + ".")


def room_of(module: str) -> Room:
    return max((row for row in TABLE if is_within(module, row.name)), key=lambda row: len(row.name))


def refusals(module: str) -> list[str]:
    row, found = room_of(module), []
    for item in imports_of(module):
        top = item.target.partition(".")[0]
        if top in sys.stdlib_module_names or top in SMALL or (item.for_types and top not in OURS):
            continue
        allowed = _ours_allowed(module, row, item.target) if top in OURS else _theirs_allowed(module, row, top)
        if not allowed:
            found.append(f"{module}:{item.line} imports {item.target}")
    return found


def _ours_allowed(module: str, row: Room, target: str) -> bool:
    if is_within(module, "registry"):
        return is_within(target, "registry") and floor_of(target) <= floor_of(module)
    return is_within(target, row.name) or any(is_within(target, place) for place in row.ours)


def _theirs_allowed(module: str, row: Room, top: str) -> bool:
    if top in ONLY_IN:
        return any(is_within(module, place) for place in ONLY_IN[top])
    return top in (REGISTRY_THEIRS if is_within(module, "registry") else row.theirs)


def floor_of(module: str) -> int:
    if module == "registry":
        return len(REGISTRY_FLOORS)  # nobody inside imports the face
    name = module.split(".")[1]
    return next((i for i, names in enumerate(REGISTRY_FLOORS) if name in names), -1)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_its_own_floor_and_below(module: str) -> None:
    found = refusals(module)
    assert not found, "against the layering table of docs/architecture.md:\n  " + "\n  ".join(found)


def test_every_module_of_the_registry_stands_on_a_floor() -> None:
    homeless = [module for module in MODULES if module.startswith("registry.") and floor_of(module) < 0]
    assert not homeless, f"put them into REGISTRY_FLOORS: {homeless}"


def test_the_table_names_nothing_that_is_not_there() -> None:
    places = {f"registry.{name}" for names in REGISTRY_FLOORS for name in names}
    places |= {row.name for row in TABLE} | {place for where in ONLY_IN.values() for place in where}
    assert places <= set(MODULES)


def test_steps_never_import_each_other() -> None:
    machinery = {"isrflow.steps", "isrflow.steps.step", "isrflow.steps.recipe_base"}
    rows = {item.target for recipe in RECIPES.split() for item in imports_of(recipe)}
    steps = {module for module in rows - machinery if is_within(module, "isrflow.steps")}
    assert len(steps) > 30
    found = [
        f"{module}:{item.line} imports {item.target}"
        for module in MODULES
        if is_within(module, "isrflow.steps")
        for item in imports_of(module)
        if item.target in steps
    ]
    assert not found, found


@pytest.mark.parametrize(
    ("who", "never"),
    [
        ("registry", "isrflow"),
        ("registry", "flows"),
        ("isrflow", "flows"),
        ("isrflow.kernels", "logging"),
        ("isrflow.steps", "registry"),
        ("isrflow.frame", "registry"),
        ("isrflow.makers", "registry"),
    ],
)
def test_the_nevers(who: str, never: str) -> None:
    found = [
        f"{module}:{item.line}"
        for module in MODULES
        if is_within(module, who)
        for item in imports_of(module)
        if is_within(item.target, never)
    ]
    assert not found, f"{who} must never import {never}: {found}"


def test_nobody_imports_a_face_from_inside() -> None:
    found = [
        f"{module}:{item.line}"
        for module in MODULES
        for item in imports_of(module)
        if item.target in {"isrflow", "registry"} and is_within(module, item.target) and module != item.target
    ]
    assert not found, f"import from the module, not from the face: {found}"


def test_imports_at_the_top_make_no_circle() -> None:
    arrows = {
        module: {item.target for item in imports_of(module) if item.at_top and item.target in MODULES}
        for module in MODULES
    }
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        assert module not in path, "circle: " + " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for target in sorted(arrows[module] - {module}):
            visit(target)
        path.pop()
        done.add(module)

    for module in sorted(arrows):
        visit(module)


def test_the_table_refuses_what_it_should() -> None:
    text = (
        "import numba\nimport prefect\nfrom registry.refs import DataId\nfrom isrflow.calibs.base import Calibration\n"
    )
    assert [item.target for item in _imports(ast.parse(text), "x", at_top=True)][:2] == ["numba", "prefect"]
    frame = room_of("isrflow.frame.box")
    assert not _theirs_allowed("isrflow.frame.box", frame, "numba")
    assert not _theirs_allowed("flows.night", room_of("flows.night"), "prefect")
    assert not _ours_allowed("isrflow.frame.box", frame, "registry.refs")
    assert not _ours_allowed("isrflow.frame.box", frame, "isrflow.calibs.base")
    assert not _ours_allowed("registry.refs", room_of("registry.refs"), "registry.butler")
    assert _ours_allowed("registry.butler", room_of("registry.butler"), "registry.refs")
