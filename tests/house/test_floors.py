"""Imports go down only; wings and methods do not know each other."""

import pytest
from tests.house.source import imports, modules

from memspan.core.registry import WINGS

FLOORS = (
    ("core",),
    ("plan",),
    ("text", "kv", "neural", "training"),
    ("bridges",),
    ("testing",),
    ("bench",),
    ("doors",),
)
HEIGHT = {part: height for height, parts in enumerate(FLOORS) for part in parts}


def _breaches():
    for name, (_, tree) in modules().items():
        if not name:  # the root names its parts lazily
            continue
        here = name.split(".")[0]
        for target in imports(tree):
            there = target.split(".")[0]
            if there and HEIGHT[there] >= HEIGHT[here] and there != here:
                yield f"{name} imports {target}"


def test_every_module_stands_on_a_floor():
    """No module lies outside the house; the root and its version are the only exception."""
    assert {name.split(".")[0] for name in modules()} - set(HEIGHT) <= {"", "__main__"}


def test_imports_go_down_only():
    """A floor imports lower floors and itself; wings are one floor and never import each other."""
    assert len(modules()) > 20
    assert list(_breaches()) == []


def test_no_module_imports_the_root_for_its_names():
    """Inside the house each name is imported from where it stands."""
    assert [name for name, (_, tree) in modules().items() if name and "" in set(imports(tree))] == []


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_methods_never_import_methods(wing):
    """One method a file: two methods share code through a module that is none."""
    package = WINGS[wing]
    methods = {name for name, (path, _) in modules().items() if _is_method(name, package, path)}
    assert methods, f"no method found in {package}"
    crossing = [(name, other) for name in methods for other in imports(modules()[name][1]) if other in methods - {name}]
    assert crossing == []


def _is_method(name, package, path):
    return name.rpartition(".")[0] == package and "\nMETHOD = " in path.read_text(encoding="utf-8")
