"""The key of an encrypted memory, as the commands take it: from the environment or a file, never as an argument."""

from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner, Result

from memspan.doors.cli.main import COMMANDS, cli

ciphers = pytest.mark.skipif(not hasattr(apsw, "mc_version"), reason="apsw has no encryption here")
WITHOUT_MEMORY = {"demo", "methods", "models", "bench", "keys", "plan"}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MEMSPAN_MEMORY", "MEMSPAN_SCOPE", "MEMSPAN_KEY"):
        monkeypatch.delenv(name, raising=False)


def memspan(*args: str, key: str | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, args, env={"MEMSPAN_KEY": key}, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_MEMORY))
def test_every_command_that_opens_a_memory_takes_a_key(name: str) -> None:
    """From a file; none takes the key itself, which would stay in the shell's history."""
    out = memspan(name, "--help").stdout
    assert "--key-file" in out and "MEMSPAN_KEY" in out and "--key " not in out


@ciphers
def test_the_environment_and_a_file_hold_the_same_key() -> None:
    """The line's end in the file is no part of it; --key-file wins."""
    memspan("remember", "--text", "I live in Lisbon.", key="open sesame")
    assert b"Lisbon" not in Path("memory.mem").read_bytes()
    for end in ("", "\n", "\r\n"):
        Path("key").write_bytes(f"open sesame{end}".encode())
        assert "Lisbon" in memspan("recall", "Where?", "--key-file", "key").stdout
    assert "Lisbon" in memspan("recall", "Where?", "--key-file", "key", key="another").stdout
    assert "Lisbon" in memspan("export", "-", "--key-file", "key").stdout


@ciphers
def test_a_wrong_or_missing_key_ends_with_one_line() -> None:
    """Which says what is wrong, and not the key."""
    memspan("remember", "--text", "I live in Lisbon.", key="open sesame")
    for given, said in (("open barley", "does not open it"), (None, "is encrypted; give its key")):
        for command in (["recall", "Where?"], ["stats"], ["doctor"], ["doctor", "--repair"], ["doctor", "--rebuild"]):
            result = memspan(*command, key=given, code=3)
            assert said in result.stderr and "barley" not in result.output and result.stderr.count("\n") == 1


@ciphers
def test_doctor_looks_into_an_encrypted_memory() -> None:
    """It checks, makes anew and repairs, and what it writes is encrypted, too."""
    memspan("remember", "--text", "I live in Lisbon.", key="k")
    for options in ([], ["--rebuild"], ["--repair"]):
        assert "all is well" in memspan("doctor", *options, key="k").stdout
    assert all(b"Lisbon" not in path.read_bytes() for path in Path.cwd().glob("memory.mem*"))
    assert "Lisbon" in memspan("recall", "Where?", key="k").stdout


def test_an_empty_key_is_refused() -> None:
    """A secret that was not found must not make a plain memory."""
    Path("key").write_text("\n")
    assert "is empty" in memspan("remember", "--text", "I live in Lisbon.", key="", code=2).stderr
    assert "is empty" in memspan("remember", "--text", "I live in Lisbon.", "--key-file", "key", code=2).stderr
    memspan("remember", "--text", "I live in Lisbon.", "--key-file", "nowhere", code=2)
    assert not Path("memory.mem").exists()


@pytest.mark.skipif(hasattr(apsw, "mc_version"), reason="apsw has encryption here")
def test_without_the_cipher_the_commands_to_install_it_are_said() -> None:
    """Exit code 4, and nothing is made."""
    assert "pip install" in memspan("remember", "--text", "I live.", key="k", code=4).stderr
    assert not Path("memory.mem").exists()
