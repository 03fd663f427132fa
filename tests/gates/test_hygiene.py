"""No tracked file holds a local path, a private key, a conflict, or too many bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates import hygiene


def test_the_repository_is_clean() -> None:
    if not (hygiene.ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    assert hygiene.faults(hygiene.tracked()) == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.md", "see /" + "home/somebody/data\n", "line 1: a path of one person"),
        ("a.py", "x = 1\ny = '/" + "root/x'\n", "line 2: a path of one machine"),
        (
            "a.pem",
            "-----BEGIN PRIV" + "ATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n",
            "line 1: a private key",
        ),
        ("a.txt", "<" * 7 + " ours\n", "line 1: a merge conflict"),
        ("a.bin", "x" * 500_001, "500001 bytes; a tracked file has at most 500000"),
        ("a.json", "{", "does not parse: Expecting property name"),
        ("a.toml", "a =", "does not parse: Invalid value"),
        ("a.yaml", "a: [", "does not parse: while parsing a flow"),
    ],
)
def test_what_must_not_be_there_is_found(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    (found,) = hygiene.faults([path])
    assert found.startswith(f"{path}: {fault}")


def test_an_address_is_no_local_path(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("https://example.org/home/page and ~/home/x and docs/home/y\n")
    assert hygiene.faults([path]) == []
