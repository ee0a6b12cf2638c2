"""What is shipped: the built wheel holds the package's data and nothing else, and works on its own."""

import subprocess
import sys
import zipfile

import pytest
from tests.house.source import PACKAGE, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout; needs the package index for hatchling."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", str(out), str(ROOT)], check=True, timeout=300
    )
    return next(out.glob("memspan-*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    """Every source and data file, the type marker, the licence; no test, no tool."""
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"memspan/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= held
    assert "memspan/py.typed" in held
    others = {name for name in held - wanted if ".dist-info/" not in name}
    assert others == set()
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_wheel_works_alone(wheel, tmp_path):
    """Unpacked somewhere else it remembers and recalls, its data found beside it."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import memspan; m = memspan.Memory('a.mem', scope='a'); m.remember('The bike is red.');"
        "print(next(iter(m.recall('What colour is the bike?'))).text, memspan.__file__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.startswith("The bike is red.")
    assert str(tmp_path) in run.stdout
