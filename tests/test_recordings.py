"""One's own recordings: what is sent names no path, and a conversion that was broken off is gone on with."""

from __future__ import annotations

import io
import os
import resource
import zipfile
from pathlib import Path

import pytest
from test_importers_photos import LAT, METRE, at, photo

from butf import own_data, recordings
from butf.dataset.frames import Frames
from butf.dataset.unpack import Limits
from butf.errors import BadInput
from butf.importers.photo_roles import Choice


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUTF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BUTF_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("BUTF_NO_TRAINING", raising=False)
    return tmp_path / "data"


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    for i in range(10):
        photo(tmp_path / "walk" / f"{i}.jpg", i, at(LAT + 20 * i * METRE))
    return tmp_path / "walk"


class Sent(io.BytesIO):
    """A file as Streamlit hands it over."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.name = name


def sent(walk: Path, *names: str) -> list[Sent]:
    return [Sent(name, path.read_bytes()) for name, path in zip(names, sorted(walk.iterdir()), strict=False)]


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir()) if home.exists() else []


def test_photographs_one_by_one(home: Path, walk: Path) -> None:
    incoming = recordings.from_uploaded_photos(sent(walk, "a.jpg", "b.JPG", "c d.jpeg"), Choice())
    assert incoming.label == "3 files" and incoming.inspection.fine
    assert "test: 1 of 1 queries have a true match in the database" in incoming.notes
    own_data.take_in(incoming, "mine")
    assert left(home) == ["mine"] and len(Frames.load(home / "mine")) == 3
    assert (home / "mine" / "sources.csv").is_file(), "what became of each file comes along"


def test_nothing_that_is_sent_names_a_path(home: Path, walk: Path, tmp_path: Path) -> None:
    names = ("../../../out.jpg", "/etc/out.jpg", "..\\..\\out.jpg", "x/out.jpg", str(tmp_path / "out.jpg"))
    incoming = recordings.from_uploaded_photos(sent(walk, *names), Choice())
    inside = {path.name for path in Path(incoming.folder.name).rglob("out.jpg")}
    assert inside == {"out.jpg"} and len(incoming.inspection.frames) == 5, "all of one name, none lost"
    incoming.discard()
    assert not list(tmp_path.rglob("out.jpg")) and left(home) == []


@pytest.mark.parametrize("name", ["a.exe", "", "..", ".jpg", "a.jpg\n", "a.svg"])
def test_names_that_are_refused(home: Path, walk: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"is neither a photograph nor a CSV nor a \.zip"):
        recordings.from_uploaded_photos(sent(walk, "a.jpg", name), Choice())
    assert left(home) == []


def zipped(walk: Path, inside: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(walk.iterdir()):
            archive.write(path, inside + path.name)
    return stream.getvalue()


def test_a_zip_and_its_limits(home: Path, walk: Path) -> None:
    content = zipped(walk, "my holiday/2024/")
    incoming = recordings.from_uploaded_photos([Sent("my holiday.zip", content)], Choice())
    assert incoming.inspection.frames.name == "my-holiday" and len(incoming.inspection.frames) == 10
    assert "2024" in incoming.inspection.frames.source
    incoming.discard()
    with pytest.raises(BadInput, match=r"holds 10 files; expected at most 5"):
        recordings.from_uploaded_photos([Sent("a.zip", content)], Choice(), limits=Limits(files=5))
    with pytest.raises(BadInput, match="which may lead out of its folder"):
        recordings.from_uploaded_photos([Sent("a.zip", zipped(walk, "../"))], Choice())
    assert left(home) == []


def test_broken_off_it_goes_on(home: Path, walk: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if what == "Frames" and done == 4:
            raise KeyboardInterrupt  # as Streamlit ends a script whose page was closed

    with pytest.raises(KeyboardInterrupt):
        recordings.from_photos(str(walk), Choice(), stop)
    assert [name[:10] for name in left(home)] == [".incoming-"], "the unfinished one, and nothing beside it"
    other = recordings.from_photos(str(walk), Choice(share=0.4))
    assert not [note for note in other.notes if "went on" in note], "of other options it is another"
    incoming = recordings.from_photos(str(walk), Choice())
    assert "went on with an import that was broken off: 4 of 10 frames were there" in incoming.notes
    own_data.take_in(incoming, "mine")
    other.discard()
    assert left(home) == ["mine"] and len(Frames.load(home / "mine")) == 10


def test_two_at_once(home: Path, walk: Path) -> None:
    told: list[str] = []

    def again(what: str, done: int, total: int) -> None:
        if what == "Frames" and done == 4:
            with pytest.raises(BadInput) as error:
                recordings.from_photos(str(walk), Choice())
            told.append(str(error.value))

    incoming = recordings.from_photos(str(walk), Choice(), again)
    assert f"is being imported by process {os.getpid()}; wait for it" in told[0]
    assert incoming.inspection.fine and len(incoming.inspection.frames) == 10


def test_a_full_disk_loses_nothing(home: Path, walk: Path) -> None:
    photo(walk / "large.png", 99, at(), size=(300, 200))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(BadInput, match=r"cannot be written \(file too large\).*the same import goes on from it"):
            recordings.from_photos(str(walk), Choice())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    incoming = recordings.from_photos(str(walk), Choice())
    assert [note for note in incoming.notes if "went on with an import" in note] and incoming.inspection.fine


def test_switched_off(home: Path, walk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUTF_NO_TRAINING", "1")
    for action in (
        lambda: recordings.from_photos(str(walk), Choice()),
        lambda: recordings.from_uploaded_photos(sent(walk, "a.jpg"), Choice()),
        lambda: recordings.from_benchmark(str(walk)),
    ):
        with pytest.raises(BadInput, match="switched off here"):
            action()
    assert left(home) == []


@pytest.mark.parametrize("path", ["", "relative/folder", "/no/such/folder"])
def test_a_path_that_is_no_folder(home: Path, path: str) -> None:
    for way in (lambda: recordings.from_photos(path, Choice()), lambda: recordings.from_benchmark(path)):
        with pytest.raises(BadInput, match=r"is no full path|is not a folder"):
            way()
