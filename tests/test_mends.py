"""What the server does otherwise than Streamlit: the queue it sends, and the files it keeps.

That no press is lost is tested in a browser, in tests/test_browser_data.py.
"""

from unittest.mock import patch

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from pages import mends


def drawing(place: list[int], part: str, block: bool = False) -> ForwardMsg:
    """A message that puts a container or a text at a place of the page, sent by a part of it."""
    message = ForwardMsg()
    message.metadata.delta_path[:] = place
    message.delta.fragment_id = part
    if block:
        message.delta.add_block.allow_empty = True
    else:
        message.delta.new_element.text.body = "x"
    return message


def test_a_part_drawn_anew_takes_the_parts_within_it_along(monkeypatch) -> None:
    """Outer part in [0, 1], an inner one in [0, 1, 0]: were the outer alone dropped, the inner would have no place."""
    monkeypatch.setattr(ForwardMsgQueue, "clear", ForwardMsgQueue.clear)  # given back afterwards
    mends.keep_parts_whole()
    mends.keep_parts_whole()  # once for all, however often it is asked for
    queue = ForwardMsgQueue()
    started = ForwardMsg()
    started.script_finished = ForwardMsg.FINISHED_SUCCESSFULLY
    elsewhere = drawing([0, 2], "other")
    for message in (
        started, drawing([0, 1], "outer", block=True), drawing([0, 1, 0], "inner", block=True),
        drawing([0, 1, 0, 0], "inner"), drawing([0, 1, 1], "outer"), elsewhere,
    ):  # fmt: skip
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["outer"])
    assert queue.flush() == [started, elsewhere]

    queue.enqueue(drawing([0, 1], "outer", block=True))
    queue.enqueue(drawing([0, 1, 0, 0], "inner"))
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["inner"])
    assert [list(message.metadata.delta_path) for message in queue.flush()] == [[0, 1]], "the outer part stays"
    queue.enqueue(elsewhere)
    queue.clear()
    assert queue.flush() == []


def held(manager: MediaFileManager, session: str, content: bytes) -> str:
    """A picture that a visitor's page shows: what its address calls it."""
    with patch("streamlit.runtime.media_file_manager._get_session_id", return_value=session):
        return manager.add(content, "image/png", "0.0.1").rpartition("/")[2].removesuffix(".png")


def test_a_picture_stays_while_its_page_is_drawn_anew_and_another_is_finished(monkeypatch) -> None:
    for name in ("_get_inactive_file_ids", "_remove_orphaned_deferred_callables"):
        monkeypatch.setattr(MediaFileManager, name, getattr(MediaFileManager, name))  # given back afterwards
    clock = [100.0]
    monkeypatch.setattr(mends.time, "monotonic", lambda: clock[0])
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))
    gone = held(manager, "first", b"one")
    manager.clear_session_refs("first")  # the page is drawn anew
    manager.remove_orphaned_files()  # another visitor's is finished
    assert manager.read_file(gone) is None  # what Streamlit does

    mends.keep_files_a_while()
    mends.keep_files_a_while()
    kept = held(manager, "first", b"one")
    manager.clear_session_refs("first")
    manager.remove_orphaned_files()
    assert manager.read_file(kept).content == b"one"
    clock[0] += mends.FILES_KEPT_S + 1
    assert held(manager, "first", b"one") == kept  # the page came to it, a slow one
    manager.remove_orphaned_files()
    assert manager.read_file(kept).content == b"one"

    manager.clear_session_refs("first")  # nobody comes back to it
    manager.remove_orphaned_files()
    clock[0] += mends.FILES_KEPT_S + 1
    manager.remove_orphaned_files()
    assert manager.read_file(kept) is None


def test_a_download_that_is_made_when_pressed_stays_as_long(monkeypatch) -> None:
    for name in ("_get_inactive_file_ids", "_remove_orphaned_deferred_callables"):
        monkeypatch.setattr(MediaFileManager, name, getattr(MediaFileManager, name))  # given back afterwards
    clock = [100.0]
    monkeypatch.setattr(mends.time, "monotonic", lambda: clock[0])
    mends.keep_files_a_while()
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))
    with patch("streamlit.runtime.media_file_manager._get_session_id", return_value="first"):
        promised = manager.add_deferred(lambda: b"made", "application/zip", "0.0.1", "model.zip")
        manager.clear_session_refs("first")
        manager.remove_orphaned_files()
        url = manager.execute_deferred(promised)  # pressed just then
        assert manager.read_file(url.rpartition("/")[2].removesuffix(".zip")).content == b"made"
    clock[0] += mends.FILES_KEPT_S + 1
    manager.clear_session_refs("first")
    manager.remove_orphaned_files()
    clock[0] += mends.FILES_KEPT_S + 1
    manager.remove_orphaned_files()
    assert not manager._deferred_callables
