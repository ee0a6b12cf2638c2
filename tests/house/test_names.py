"""What the package offers, and what it never does."""

import ast
import inspect

import pytest
from tests.house.source import functions, modules

import memspan
from memspan.core import errors

PUBLIC = [
    *("AsyncMemory", "Budget", "Change", "Cost", "Hit", "Link", "Memory", "Patch", "Recall", "Record", "State"),
    *("Turn", "errors", "kv", "load", "methods"),
]


def test_the_public_names_are_these():
    """Adding or removing one is a decision: change this list with it."""
    assert sorted(memspan.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(memspan))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_documented(name):
    """It can be reached from the root and says what it is."""
    assert inspect.getdoc(getattr(memspan, name))


def test_an_unknown_name_is_an_attribute_error():
    """As in any module."""
    with pytest.raises(AttributeError, match="nothing"):
        _ = memspan.nothing


def _errors():
    return [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, Exception)]


def test_every_error_has_one_base_a_docstring_and_its_place_in_the_drawing():
    """The tree at the top of core/errors.py names each of them."""
    for error in _errors():
        assert issubclass(error, errors.MemspanError)
        assert error.__doc__
        assert error.__name__ in (errors.__doc__ or "")


def test_errors_are_defined_in_one_place():
    """No class of another module is an exception of ours."""
    elsewhere = [
        f"{name}.{node.name}"
        for name, (_, tree) in modules().items()
        if name != "core.errors"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and _is_error(node)
    ]
    assert elsewhere == []


def _is_error(node):
    return any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)


FORBIDDEN_MODULES = {"pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "yaml.load", "os.system", "os.popen", "tempfile.mktemp"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "handler", "factory", "impl", "misc"}


def _calls(tree):
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_no_code_is_made_from_data():
    """No pickle, eval, exec, yaml.load, shell."""
    found = []
    for name, (_, tree) in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                found += [f"{name}: {word}" for word in named if word.split(".")[0] in FORBIDDEN_MODULES]
        for call in _calls(tree):
            if ast.unparse(call.func) in FORBIDDEN_CALLS:
                found.append(f"{name}: {ast.unparse(call.func)}")
            if any(word.arg == "shell" for word in call.keywords):
                found.append(f"{name}: shell=")
            if ast.unparse(call.func).endswith("load") and any(word.arg == "allow_pickle" for word in call.keywords):
                found.append(f"{name}: allow_pickle=")
    assert found == []


PRINTING = {
    "bench.runner": "progress of a run that takes minutes, to stderr, on request",
    "bench.speed": "its child process answers the parent on stdout",
}


def test_only_doors_print():
    """A library says nothing on its own; the exceptions are declared above."""
    printing = [
        name
        for name, (_, tree) in modules().items()
        if not name.startswith("doors") and any(ast.unparse(call.func) == "print" for call in _calls(tree))
    ]
    assert set(printing) <= set(PRINTING)


READING = {"bench.machine": "writes down under which limits a measurement ran"}


def test_only_doors_read_the_environment():
    """Settings are arguments; the exception is declared above."""
    reading = [
        name
        for name, (path, _) in modules().items()
        if not name.startswith("doors")
        and any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "getenv", "from os import environ"))
    ]
    assert set(reading) <= set(READING)


def test_no_file_has_a_vague_name():
    """A file is named after the thing in it."""
    assert [name for name in modules() if VAGUE & set(name.split("."))] == []


BROAD = {"bench.crew": "whatever a measured system raises is its row's status"}


def test_broad_excepts_stand_at_doors_only():
    """`except Exception` hides mistakes; elsewhere the error is named."""
    broad = [
        name
        for name, (_, tree) in modules().items()
        if not name.startswith("doors")
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception")
    ]
    assert set(broad) == set(BROAD)


PLAIN = {"dump", "parse", "turn_of", "vector_crc"}  # of text.store.rows: one line each, the types say it all


def test_every_public_function_and_class_has_a_docstring():
    """What it gives, in a line; methods of a class whose name starts with _ aside."""
    bare = []
    for name, (_, tree) in modules().items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                bare += [] if ast.get_docstring(node) else [f"{name}.{node.name}"]
        assert ast.get_docstring(tree), f"{name} has no docstring"
    assert set(bare) <= {f"text.store.rows.{name}" for name in PLAIN}


MEM0 = {"doors.compat.mem0.add", "doors.compat.mem0.search"}  # their signatures are another library's


def test_functions_take_few_arguments():
    """At most seven, self aside; past that a dataclass. Exempt are constructors of parts with settings, and two verbs.

    What one may ask of a recall, or of a cache, is the product, each option a keyword with a default.
    """
    wide = {
        f"{name}.{function.name}"
        for name, (_, tree) in modules().items()
        for function in functions(tree)
        if function.name != "__init__" and len(_arguments(function)) > 7
    }
    assert wide - MEM0 == {"text.memory.recall", "kv.compressing.compress"}


def _arguments(function):
    taken = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument for argument in taken if argument.arg not in ("self", "cls")]
