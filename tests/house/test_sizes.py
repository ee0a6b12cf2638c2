"""Small functions, files one can read in a sitting."""

from statistics import median

from tests.house.source import functions, lines, modules

MAX_FUNCTION = 60
MAX_FILE = 500
MEDIAN_FUNCTION = 8
TABLES = {"text.embed._characters", "text.read._characters"}  # data, not code


def test_no_function_is_longer_than_sixty_lines():
    """Docstrings do not count."""
    long = {
        f"{name}.{function.name}": lines(function)
        for name, (_, tree) in modules().items()
        for function in functions(tree)
        if lines(function) > MAX_FUNCTION
    }
    assert long == {}


def test_the_median_function_is_short():
    """Under eight lines."""
    sizes = [lines(function) for _, tree in modules().values() for function in functions(tree)]
    print(f"{len(sizes)} functions, median {median(sizes)} lines, longest {max(sizes)}")
    assert median(sizes) < MEDIAN_FUNCTION


def test_no_file_is_longer_than_five_hundred_lines():
    """Tables of characters aside."""
    sizes = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, (path, _) in modules().items()}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE and name not in TABLES} == {}
