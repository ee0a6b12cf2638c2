"""The pictures of a run: which files come out, what they say, and that nothing heavy loads before."""

import subprocess
import sys
from xml.etree import ElementTree

import pytest
from tests.bench.fake_result import fake

from memspan.bench import plots
from memspan.core.errors import MissingExtra, UsageError

FEW = {"default", "bm25", "delta<script>", "gamma-graph", "no-window"}


def small(*sets, extra=""):
    result = fake({*sets})
    result["systems"] = [one for one in result["systems"] if one["name"] in FEW]
    result["results"] = [one for one in result["results"] if one["system"] in FEW]
    result["compared"] = [
        one | {"ours": one["ours"] + extra} for one in result["compared"] if {one["ours"], one["other"]} <= FEW
    ]
    return result


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    pytest.importorskip("matplotlib", reason="needs the extra [bench]")
    folder = tmp_path_factory.mktemp("plots") / "inside"
    return plots.write(small("realmem", "pi-syn"), folder)


def test_every_picture_is_a_png_and_an_svg(written):
    """Named after what they show."""
    names = ("overview", "latency", "bytes", "ladder", "ladder-read", "compared-default")
    assert [path.name for path in written] == [f"{name}.{end}" for name in names for end in ("png", "svg")]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[::2])


def words(path):
    tree = ElementTree.parse(path)  # our own file, just written
    return [node.text.strip() for node in tree.iter("{http://www.w3.org/2000/svg}text") if node.text]


def test_pictures_name_sets_systems_units_and_intervals(written):
    """Hostile names stay text; ablations are left to the tables."""
    found = {path.stem: words(path) for path in written if path.suffix == ".svg"}
    assert {"realmem", "pi-syn", "delta<script>", "context [tokens], logarithmic"} <= set(found["overview"])
    assert "no-window" not in found["overview"]
    assert "Gold in the context, by its size. Bars are 95 % intervals." in found["overview"]
    assert {"realmem, R@10", "pi-syn, EM", "read time, median [ms], logarithmic"} <= set(found["latency"])
    assert "realmem, R@10" not in found["ladder"]
    assert {"1000", "10k", "100k"} <= set(found["ladder"])
    assert {"better", "no difference shown", "worse", "not testable", "bm25"} <= set(found["compared-default"])


def test_the_same_result_gives_the_same_picture(tmp_path):
    """No date, no random ids; a name with a dollar sign is no formula, one with a slash no folder."""
    pytest.importorskip("matplotlib", reason="needs the extra [bench]")
    result = small("locomo", extra="$x$/..")
    first, second = (plots.write(result, tmp_path / name) for name in ("a", "b"))
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]
    assert first[-1].name == "compared-default_x_.svg"
    assert any("default$x$/.. minus" in text for text in words(first[-1]))


def test_without_matplotlib_it_says_what_to_install(monkeypatch, tmp_path):
    """And writes nothing."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"memspan\[bench\]"):
        plots.write(small("locomo"), tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


def test_an_older_result_is_refused(tmp_path):
    """With what to do about it."""
    with pytest.raises(UsageError, match="run it again"):
        plots.write({"schema": "memspan.bench.run/1"}, tmp_path)


def test_matplotlib_is_not_loaded_before_plots_are_written():
    """The module and what it imports stay light."""
    code = "import sys, memspan.bench.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
