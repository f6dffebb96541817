"""Where Streamlit (1.67) fails a page that is busy or has many visitors: what the server does otherwise.

Parts of a page stay whole, no press is lost, and no picture is gone before it was fetched.
"""

import time
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.state.session_state import SessionState

FILES_KEPT_S = 60.0
"""For how long a picture or download stays that no page holds: longer than a browser takes on a busy machine."""


def mend() -> None:
    """All of it, once for a server."""
    keep_parts_whole()
    heed_every_press()
    keep_files_a_while()


def keep_parts_whole() -> None:
    """Where a part of a page is drawn anew, have Streamlit drop all that hangs on what it drops unsent of it.

    Streamlit drops what the part itself has in the queue, but keeps the parts within it: these then look for a
    place that was never made ("Cannot set a node at a delta path"), and the page breaks. They are drawn anew as well.
    """
    plain = ForwardMsgQueue.clear
    if getattr(plain, "keeps_parts_whole", False):
        return

    def clear(queue: ForwardMsgQueue, *args: Any, **more: Any) -> None:
        before = list(queue._queue)
        plain(queue, *args, **more)
        kept = {id(message) for message in queue._queue}
        dropped = [place_of(message) for message in before if id(message) not in kept and makes_place(message)]
        queue._queue = [message for message in queue._queue if not lies_in(place_of(message), dropped)]

    clear.keeps_parts_whole = True  # type: ignore[attr-defined]
    ForwardMsgQueue.clear = clear  # type: ignore[method-assign]


def place_of(message: ForwardMsg) -> tuple[int, ...]:
    """Where in the page a message draws, from the outermost container in; empty where it draws nothing."""
    return tuple(message.metadata.delta_path)


def makes_place(message: ForwardMsg) -> bool:
    return message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "add_block"


def lies_in(place: tuple[int, ...], containers: list[tuple[int, ...]]) -> bool:
    return any(place[: len(container)] == container for container in containers if len(place) > len(container))


def heed_every_press() -> None:
    """Where the browser sends several controls' news at once, have each one's part of the page drawn anew.

    Streamlit sends what changes within one turn of the browser's clock together and names the part of the first
    alone: pressed in the moment in which the map beside it said that it was there, a button looked pressed and did
    nothing.
    """
    plain = SessionState.on_script_will_rerun
    if getattr(plain, "heeds_every_press", False):
        return

    def heeded(state: SessionState, fresh: WidgetStates | None, **more: Any) -> None:
        plain(state, fresh, **more)
        context = get_script_run_ctx(suppress_warning=True)
        if fresh is None or context is None or not context.fragment_ids_this_run or context.script_requests is None:
            return
        for part in parts_left_out(state, fresh, context):
            # What was pressed stays pressed for the part, but its callback was called already.
            again = RerunData(
                query_string=context.query_string, page_script_hash=context.page_script_hash,
                fragment_id_queue=[part] if part else [], replay_trigger_states=fresh,
                cached_message_hashes=context.cached_message_hashes, context_info=context.context_info,
            )  # fmt: skip
            context.script_requests.request_rerun(again)

    heeded.heeds_every_press = True  # type: ignore[attr-defined]
    SessionState.on_script_will_rerun = heeded  # type: ignore[method-assign]


def parts_left_out(state: SessionState, fresh: WidgetStates, context: ScriptRunContext) -> set[str]:
    """The parts whose controls changed and that the present run does not draw; "" for what is in no part."""
    drawn, known = context.fragment_ids_this_run or [], state._new_widget_state.widget_metadata
    changed = [widget.id for widget in fresh.widgets if widget.id in known and state._widget_changed(widget.id)]
    parts = {known[name].fragment_id or "" for name in changed} - set(drawn)
    storage = context.fragment_storage
    return {part for part in parts if not part or (storage.contains(part) and not storage.has_ancestor_in(part, drawn))}


def keep_files_a_while() -> None:
    """Let a page's pictures and downloads be fetched though another visitor's page was finished in between.

    A page drawn anew lets go of all its files first and names them again as it comes to them. Streamlit throws away
    what nobody holds whenever *any* page is finished: a browser that was slow to ask for them, or that asks while its
    page is drawn anew, found them gone, and showed a broken picture. So with downloads that are made when pressed.
    """
    plain = MediaFileManager._get_inactive_file_ids
    if getattr(plain, "keeps_a_while", False):
        return

    def files(manager: MediaFileManager) -> set[str]:
        return long_unheld(manager, "files", plain(manager))

    def drop_promised(manager: MediaFileManager) -> None:
        held = {name for files in manager._files_by_session_and_coord.values() for name in files.values()}
        for name in long_unheld(manager, "promised", manager._deferred_callables.keys() - held):
            manager._drop_deferred_id(name)

    files.keeps_a_while = True  # type: ignore[attr-defined]
    MediaFileManager._get_inactive_file_ids = files  # type: ignore[method-assign]
    MediaFileManager._remove_orphaned_deferred_callables = drop_promised  # type: ignore[method-assign]


def long_unheld(manager: MediaFileManager, kind: str, unheld: set[str]) -> set[str]:
    """Which of the names that no page holds now none has held for `FILES_KEPT_S`."""
    now, since = time.monotonic(), manager.__dict__.setdefault("unheld_since", {}).setdefault(kind, {})
    for name in since.keys() - unheld:
        del since[name]
    return {name for name in unheld if now - since.setdefault(name, now) > FILES_KEPT_S}
