"""A model folder is made once, is whole or not there, and is made anew where it was torn."""

import pytest

torch = pytest.importorskip("torch")

from memspan.testing.kept_models import SEAL, is_whole, kept, name_of, one_thread, own_random_state  # noqa: E402


def weights(text):
    """A stand-in for a training: writes two files."""

    def write(to):
        (to / "weights").write_text(text)
        (to / "config").write_text("{}")

    return write


def never(to):
    pytest.fail("made again")


def test_what_was_made_is_found_again(tmp_path):
    """The second call makes nothing; the folder above is made where it is not there."""
    made = kept(tmp_path / "a" / "m", weights("one"))
    assert kept(tmp_path / "a" / "m", never) == made == tmp_path / "a" / "m"
    assert {path.name for path in made.iterdir()} == {"weights", "config", SEAL}
    assert [path.name for path in made.parent.iterdir()] == ["m"]


@pytest.mark.parametrize("harm", ["cut", "emptied", "gone", "more", "no seal", "bad seal"])
def test_a_torn_folder_is_made_anew(tmp_path, harm):
    """Whatever is not as it was written is noticed, and nothing else is left behind."""
    made = kept(tmp_path / "m", weights("one"))
    actions = {
        "cut": lambda: (made / "weights").write_text("on"),
        "emptied": lambda: [path.unlink() for path in made.iterdir()],
        "gone": lambda: (made / "weights").unlink(),
        "more": lambda: (made / "other").write_text(""),
        "no seal": lambda: (made / SEAL).unlink(),
        "bad seal": lambda: (made / SEAL).write_text('{"weights": '),
    }
    actions[harm]()
    assert not is_whole(made)
    assert kept(made, weights("two")) == made
    assert (made / "weights").read_text() == "two"
    assert is_whole(made)
    assert list(tmp_path.iterdir()) == [made]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_stop_leaves_nothing(tmp_path, error):
    """Neither a folder nor a part of one, and what stood there stays."""

    def stopped(to):
        (to / "weights").write_text("half")
        raise error

    with pytest.raises(error):
        kept(tmp_path / "m", stopped)
    assert list(tmp_path.iterdir()) == []


def test_what_another_made_meanwhile_stays(tmp_path):
    """Two that build at once: the first to finish wins, the second takes what is there."""

    def late(to):
        weights("second")(to)
        kept(tmp_path / "m", weights("first"))

    assert (kept(tmp_path / "m", late) / "weights").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_the_name_follows_the_recipe():
    """Any value changed, another name; the order of the entries does not matter."""
    names = {name_of("m", {"steps": steps, "seed": seed}) for steps in (1, 2) for seed in (1, 2)}
    assert len(names) == 4
    assert name_of("m", {"a": 1, "b": 2}) == name_of("m", {"b": 2, "a": 1})


def test_threads_and_random_numbers_are_given_back():
    """Also where what stands inside fails."""

    def failing():
        with one_thread(), own_random_state():
            seen.append((torch.get_num_threads(), torch.rand(3)))
            raise KeyboardInterrupt

    seen = []
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        failing()
    after = torch.rand(1)
    torch.manual_seed(1)
    assert after.equal(torch.rand(1))
    assert (seen[0][0], torch.get_num_threads()) == (1, 2)
    torch.set_num_threads(threads)
