"""What the server does otherwise than Streamlit: a page is told where its server is, parts of it stay whole, and no
press is lost."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.state.session_state import SessionState

# Opened at /explore, Streamlit's page first asks for its server below /explore, and the browser reports two failures.
TOLD = b"<script>window.__streamlit = {BACKEND_BASE_URL: window.location.origin + '/'}</script>"
HEAD = b"<head>"


class TellServer:
    """ASGI middleware: the page says that its server is at the root of its own address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not asks_for_page(scope):
            await self.app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        started: list[Message] = []
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(message)
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await send_page(started[0], b"".join(parts), send)

        await self.app({**scope, "headers": plain}, receive, collect)


def to_home(request: Request) -> RedirectResponse:
    """Home's address is the root; Streamlit would answer its name with "Page not found"."""
    return RedirectResponse(request.url.replace(path="/"))


def asks_for_page(scope: Scope) -> bool:
    """Whether a browser asks for something to show in its window, not for a part of it."""
    return scope["type"] == "http" and b"text/html" in dict(scope["headers"]).get(b"accept", b"")


async def send_page(start: Message, body: bytes, send: Send) -> None:
    """The answer, with the line in its head where it is a page."""
    headers = dict(start["headers"])
    if headers.get(b"content-type", b"").startswith(b"text/html"):
        body = body.replace(HEAD, HEAD + TOLD, 1)
        headers[b"content-length"] = str(len(body)).encode()
    await send({**start, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": body})


def keep_parts_whole() -> None:
    """Where a part of a page is drawn anew, have Streamlit drop all that hangs on what it drops unsent of it.

    Streamlit (1.67) drops what the part itself has in the queue, but keeps the parts within it: these then look for a
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

    Streamlit (1.67) sends what changes within one turn of the browser's clock together and names the part of the first
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
