"""`index` from the command line: databases of what `describe` wrote."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from butf.cli import main
from butf.commands.index import EXAMPLES
from butf.retrieval.described import read_described, write_described

DIGEST = "a" * 64


def described(path: Path, rows: int, seed: int = 0, width: int = 16, digest: str = DIGEST) -> np.ndarray:
    table = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
    write_described(path, [f"{path.stem}/{row}.jpg" for row in range(rows)], table, "some-model", digest)
    return table


def complaint(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    capsys.readouterr()
    assert main(["index", *map(str, argv)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


def test_build_add_search_and_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = described(tmp_path / "a.npz", 300), described(tmp_path / "b.npz", 40, seed=1)
    asked = described(tmp_path / "q.npz", 3, seed=2)
    place, answer = tmp_path / "places", tmp_path / "answer.json"
    assert main(["index", "build", str(place), str(tmp_path / "a.npz")]) == 0
    shown = capsys.readouterr().out
    assert "exact, 300 descriptors: 64 bytes each" in shown and "recall@10 against exact search 1" in shown
    assert main(["index", "add", str(place), str(tmp_path / "b.npz"), str(tmp_path / "b.npz")]) == 0
    assert "380 descriptors" in capsys.readouterr().out
    ask = ["index", "search", str(place), str(tmp_path / "q.npz"), "--top", "4", "--json", str(answer)]
    assert main(ask) == 0
    found = json.loads(answer.read_text())
    assert found["rows"] == 380 and [query["query"] for query in found["queries"]] == ["q/0.jpg", "q/1.jpg", "q/2.jpg"]
    table = np.concatenate([first, second, second])
    for query, told in zip(asked, found["queries"], strict=True):
        apart = np.linalg.norm(table - query, axis=1)
        wanted = np.argsort(apart, kind="stable")[:4]
        assert [c["row"] for c in told["candidates"]] == wanted.tolist()
        assert [c["rank"] for c in told["candidates"]] == [1, 2, 3, 4]
        np.testing.assert_allclose([c["distance"] for c in told["candidates"]], apart[wanted], rtol=1e-4)
        names = [f"a/{row}.jpg" if row < 300 else f"b/{(row - 300) % 40}.jpg" for row in wanted]
        assert [c["path"] for c in told["candidates"]] == names
    capsys.readouterr()
    assert main(["index", "check", str(place)]) == 0
    assert "380 descriptors, 9 files as they were written" in capsys.readouterr().out


def test_lists_are_made_where_exact_search_is_not_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = described(tmp_path / "a.npz", 600)
    ask = ["index", "build", str(tmp_path / "places"), str(tmp_path / "a.npz"), "--exact-rows", "500", "--half"]
    assert main(ask) == 0
    shown = capsys.readouterr().out
    assert "ivf-pq" in shown and "12 bytes each to look through" in shown and str(table.nbytes) not in shown
    assert main(["index", "search", str(tmp_path / "places"), str(tmp_path / "a.npz"), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [query["candidates"][0]["row"] for query in found["queries"]] == list(range(600))


def test_what_is_wrong_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described(tmp_path / "a.npz", 20)
    described(tmp_path / "other.npz", 20, digest="b" * 64)
    described(tmp_path / "narrow.npz", 20, width=8)
    place = tmp_path / "places"
    assert "no database" in complaint(capsys, "add", place, tmp_path / "a.npz")
    assert "nothing.npz does not exist" in complaint(capsys, "build", place, tmp_path / "nothing.npz")
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "short.npz").write_bytes(content[: len(content) // 2])
    assert "short.npz is no sound file" in complaint(capsys, "build", place, tmp_path / "short.npz")
    assert "narrow.npz has descriptors of 8" in complaint(
        capsys, "build", place, tmp_path / "a.npz", tmp_path / "narrow.npz"
    )
    np.savez(tmp_path / "unsigned.npz", paths=np.array(["x"]), descriptors=np.ones((1, 16), np.float32))
    assert "unsigned.npz does not say which model" in complaint(capsys, "build", place, tmp_path / "unsigned.npz")
    np.savez(tmp_path / "odd.npz", paths=np.array(["x"]), descriptors=np.ones((2, 16), np.float32))
    assert "odd.npz has descriptors (2, 16) and paths (1,)" in complaint(capsys, "build", place, tmp_path / "odd.npz")
    damaged = bytearray(content)
    damaged[2 * len(content) // 3] ^= 1  # in the descriptors: of the headers, some bytes are never looked at
    (tmp_path / "bits.npz").write_bytes(damaged)
    assert "bits.npz is" in complaint(capsys, "build", place, tmp_path / "bits.npz")
    assert not place.exists()
    assert main(["index", "build", str(place), str(tmp_path / "a.npz")]) == 0
    assert "already exists" in complaint(capsys, "build", place, tmp_path / "a.npz")
    assert "described by weights bbbbbbbbbbbb" in complaint(capsys, "add", place, tmp_path / "other.npz")
    assert "described by weights bbbbbbbbbbbb" in complaint(capsys, "search", place, tmp_path / "other.npz")
    assert "narrow.npz has descriptors of 8" in complaint(capsys, "search", place, tmp_path / "narrow.npz")


def test_a_described_file_says_by_which_model(tmp_path: Path) -> None:
    table = described(tmp_path / "a.npz", 5)
    found = read_described(tmp_path / "a.npz")
    assert (found.model, found.digest) == ("some-model", DIGEST)
    np.testing.assert_array_equal(found.descriptors, table)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert sorted(archive.namelist()) == ["descriptors.npy", "paths.npy"] and archive.testzip() is None


@pytest.mark.parametrize("what", EXAMPLES)
def test_every_part_has_help_with_an_example(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["index", what, "--help"])
    assert ending.value.code == 0
    assert f"example:  python -m butf index {EXAMPLES[what]}" in capsys.readouterr().out
