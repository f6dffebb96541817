"""Databases of descriptors on disk against brute force, and what becomes of them when things go wrong."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from butf.errors import BadInput
from butf.files import REPO
from butf.locks import FileLock
from butf.retrieval import addition
from butf.retrieval.addition import Part, add, build
from butf.retrieval.catalogue import Catalogue
from butf.retrieval.database import Database
from butf.retrieval.index import Index

WIDTH = 24
DIGEST = "d" * 64
LARGE = Catalogue("model", DIGEST, WIDTH, "float32", exact_rows=0)
SMALL = replace(LARGE, exact_rows=10**6)


def streets(rows: int, seed: int) -> np.ndarray:
    """Unit descriptors in clusters of twenty, as pictures of one street are."""
    rng = np.random.default_rng(seed)
    middles = np.repeat(rng.normal(size=(-(-rows // 20), WIDTH)), 20, axis=0)[:rows]
    table = middles + 0.3 * rng.normal(size=(rows, WIDTH))
    return (table / np.linalg.norm(table, axis=1, keepdims=True)).astype(np.float32)


def part(table: np.ndarray, name: str = "p", digest: str | None = None) -> Part:
    return Part(table, [f"{name}/{row}-é.jpg" for row in range(len(table))], f"{name}.npz", digest)


def slowly(table: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All distances in double precision, sorted."""
    apart = np.sqrt(np.square(queries[:, None].astype(float) - table[None].astype(float)).sum(axis=-1))
    rows = np.argsort(apart, axis=1)[:, :k]
    return np.take_along_axis(apart, rows, 1), rows


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of 3000 descriptors with inverted lists."""
    folder = tmp_path_factory.mktemp("databases") / "large"
    build(folder, LARGE, [part(streets(3000, 0))])
    return folder


def test_a_small_database_is_exact_over_several_segments(tmp_path: Path) -> None:
    table, queries = streets(700, 1), streets(40, 2)
    build(tmp_path / "db", SMALL, [part(table[:300]), part(table[300:301]), part(table[301:])])
    database = Database.open(tmp_path / "db")
    distances, rows = database.search(queries, 25)
    slow, wanted = slowly(table, queries, 25)
    np.testing.assert_array_equal(rows, wanted)
    np.testing.assert_allclose(distances, slow, atol=1e-5)
    np.testing.assert_array_equal(rows, Index.build(table).search(queries, 25)[1])
    assert database.trade.kind == "exact" and len(database) == 700
    assert database.names(np.array([0, 299, 300, 301, 699])) == [
        "p/0-é.jpg", "p/299-é.jpg", "p/0-é.jpg", "p/0-é.jpg", "p/398-é.jpg",
    ]  # fmt: skip
    assert database.search(queries, 1000)[0].shape == (40, 700)


def test_all_lists_and_many_candidates_give_the_exact_answer(large: Path) -> None:
    table, queries = streets(3000, 0), streets(3000, 0)[::100] + 0.05
    database = Database.open(large)
    slow, wanted = slowly(table, queries, 10)
    distances, rows = database.search(queries, 10, probes=10**6, candidates=3000)
    np.testing.assert_array_equal(rows, wanted)
    np.testing.assert_allclose(distances, slow, atol=1e-5)
    singly = np.concatenate([database.search(query[None], 10)[1] for query in queries])
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(singly, wanted, strict=True)]) > 0.9
    few = database.search(queries, 2000, probes=1)
    assert (few[1] == -1).any() and np.isinf(few[0][few[1] == -1]).all()


def test_additions_give_what_is_built_at_once(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, queries = streets(3600, 3), streets(3600, 3)[::60] + 0.03
    table[:3000] = streets(3000, 0)
    monkeypatch.setattr(addition, "SMALL_FILES", 3)  # so that files of lists are joined on the way
    one, other = tmp_path / "one", tmp_path / "other"
    shutil.copytree(large, one)
    shutil.copytree(large, other)
    add(one, [part(table[3000:])])
    for start in range(3000, 3600, 100):
        add(other, [part(table[start : start + 100])])
    assert len(Catalogue.load(other).lists) < 5 < len(Catalogue.load(other).segments)
    first, second = (Database.open(folder).search(queries, 10) for folder in (one, other))
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] >= 3000).any()
    wanted = slowly(table, queries, 10)[1]
    np.testing.assert_array_equal(Database.open(other).search(queries, 10, 10**6, 3600)[1], wanted)


def test_a_database_that_grows_gets_lists_and_later_more_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    build(folder, replace(LARGE, exact_rows=200), [part(streets(200, 4))])
    assert Database.open(folder).trade.kind == "exact"
    grown = add(folder, [part(streets(300, 5))])
    assert grown.trained is not None and grown.trained_rows == 500
    before = grown.trained.name
    grown = add(folder, [part(streets(8000, 6))])
    assert grown.trained is not None and grown.trained.name != before and grown.trained_rows == 8500
    table = np.concatenate([streets(200, 4), streets(300, 5), streets(8000, 6)])
    rows = Database.open(folder).search(table[[3, 250, 7000]], 1)[1]
    assert rows.ravel().tolist() == [3, 250, 7000]
    assert not (folder / before).exists()


def test_half_precision_takes_half_the_disk(tmp_path: Path) -> None:
    table = streets(300, 7)
    made = build(tmp_path / "db", replace(SMALL, dtype="float16"), [part(table)])
    assert made.segments[0].vectors.bytes == table.nbytes // 2
    np.testing.assert_allclose(Database.open(tmp_path / "db").rows(np.arange(300)), table, atol=5e-4)


def test_what_does_not_belong_is_refused_and_changes_nothing(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "db"
    shutil.copytree(large, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    good, infinite = streets(50, 8), streets(50, 8)
    infinite[30, 3] = np.nan
    for bad, words in (
        (part(good[:, :20], "narrow"), "narrow.npz has descriptors of 20 numbers; this database holds 24"),
        (part(good, "other", "e" * 64), "other.npz was described by weights eeeeeeeeeeee"),
        (part(infinite, "broken"), "broken.npz: descriptor 30 .* not finite"),
        (Part(good, ["one.jpg"], "few.npz"), "few.npz has descriptors .* and 1 names"),
        (part(good[:0], "none"), "none.npz holds no descriptors"),
    ):
        with pytest.raises(BadInput, match=words):
            add(folder, [part(good), bad])
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"} == {
        name: content for name, content in before.items() if name != "lock"
    }
    with pytest.raises(ValueError, match="queries have 20 values each"):
        Database.open(folder).search(good[:, :20], 3)


def test_a_full_disk_is_seen_beforehand(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(BadInput, match=r"p.npz does not fit: it needs .* and .* has 1.0 kB left"):
        add(large, [part(streets(10, 9))])


def test_only_one_adds_at_a_time(large: Path) -> None:
    lock = FileLock(large / "lock")
    assert lock.acquire()
    with pytest.raises(BadInput, match="being added to by another process"):
        add(large, [part(streets(10, 9))])
    lock.release()


@pytest.mark.parametrize("suffix", [".vectors", ".names", ".ends", ".trained", ".lists"])
def test_a_truncated_or_damaged_file_is_named(large: Path, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "db"
    shutil.copytree(large, folder)
    path = next(folder.glob(f"*{suffix}"))
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-1])
    with pytest.raises(BadInput, match=f"{path.name} has .* bytes where"):
        Database.open(folder)
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"{path.name} is not what was written"):
        list(Database.open(folder).check())
    path.unlink()
    with pytest.raises(BadInput, match=f"{path.name} is missing"):
        Database.open(folder)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"form": 9}', "null"])
def test_a_catalogue_of_something_else_is_refused(large: Path, tmp_path: Path, text: str) -> None:
    folder = tmp_path / "db"
    shutil.copytree(large, folder)
    (folder / "database.json").write_text(text)
    with pytest.raises(BadInput, match=r"database\.json"):
        Database.open(folder)


def test_a_catalogue_reads_nothing_outside_its_folder(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "db"
    shutil.copytree(large, folder)
    name = Catalogue.load(folder).segments[0].names.name
    text = (folder / "database.json").read_text()
    (folder / "database.json").write_text(text.replace(name, f"../{name}"))
    with pytest.raises(BadInput, match="is no catalogue"):
        Database.open(folder)


def test_a_kill_in_mid_addition_leaves_the_old_state(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "db"
    shutil.copytree(large, folder)
    code = (
        "import sys, time, numpy as np\n"
        "from butf.retrieval.addition import Part, add\n"
        "def parts():\n"
        f"    yield Part(np.ones((400, {WIDTH}), np.float32), ['x'] * 400, 'x')\n"
        "    print('half', flush=True)\n"
        "    time.sleep(60)\n"
        "add(sys.argv[1], parts())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, cwd=REPO)
    assert process.stdout is not None and process.stdout.readline() == b"half\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert len(list(folder.glob("*.vectors"))) == 2  # what the killed one left
    database = Database.open(folder)
    assert len(database) == 3000
    np.testing.assert_array_equal(
        database.search(streets(5, 1), 3)[1], Database.open(large).search(streets(5, 1), 3)[1]
    )
    table = streets(30, 10)
    add(folder, [part(table)])
    assert len(list(folder.glob("*.vectors"))) == 2  # it is gone; this is the new one's
    assert Database.open(folder).search(table[7:8], 1)[1].item() == 3007


def test_a_reader_keeps_what_it_opened(large: Path, tmp_path: Path) -> None:
    folder = tmp_path / "db"
    shutil.copytree(large, folder)
    queries = streets(3000, 0)[:5]
    database = Database.open(folder)
    before = database.search(queries, 5)
    add(folder, [part(np.repeat(queries, 10, axis=0))])
    np.testing.assert_array_equal(database.search(queries, 5)[1], before[1])
    assert (Database.open(folder).search(queries, 5)[1] >= 3000).any()


def test_a_process_that_still_holds_a_database_ends_well(large: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from butf.retrieval.database import Database\n"
        "database = Database.open(sys.argv[1])\n"
        f"for _ in range(50): database.search(np.ones((1, {WIDTH}), np.float32), 3)\n"
        "keep = [database]; keep.append(keep)\n"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", code, str(large)], cwd=REPO, check=False).returncode == 0


def test_a_graph_finds_most_of_what_brute_force_finds() -> None:
    table, queries = streets(4000, 11), streets(4000, 11)[::50] + 0.02
    graph = Index.build(table, "hnsw")
    distances, rows = graph.search(queries, 10)
    slow, wanted = slowly(table, queries, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, wanted, strict=True)]) > 0.9
    np.testing.assert_allclose(distances, slow, atol=0.03)  # 8 bits a number
    assert len(graph) == 4000 and Index.build(table).kind == "exact"
