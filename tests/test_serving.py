"""The line that the server adds to Streamlit's page, before a plain Starlette application; and the queue it sends."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from pages.serving import TOLD, TellServer, keep_parts_whole, to_home

PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body>" + "long " * 500 + "<head></body></html>"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-encoding": "gzip"}


def client() -> TestClient:
    routes = [
        Route("/", lambda request: HTMLResponse(PAGE)),
        Route("/streamed", lambda request: StreamingResponse(iter([PAGE[:9], PAGE[9:]]), media_type="text/html")),
        Route("/home", to_home),
        Route("/data", lambda request: JSONResponse({"head": "<head>" * 500})),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(TellServer), Middleware(GZipMiddleware)]))


def test_a_page_tells_where_its_server_is_once() -> None:
    told = PAGE.replace("<head>", "<head>" + TOLD.decode(), 1)
    for address in ("/", "/streamed"):
        answer = client().get(address, headers=BROWSER)
        assert answer.text == told
        assert "content-encoding" not in answer.headers
        assert int(answer.headers.get("content-length", len(told))) == len(told)


def test_nothing_else_is_changed() -> None:
    assert client().get("/data", headers=BROWSER).json() == {"head": "<head>" * 500}
    plain = client().get("/", headers={"accept": "*/*", "accept-encoding": "gzip"})
    assert plain.text == PAGE and plain.headers["content-encoding"] == "gzip"
    assert client().get("/none", headers=BROWSER).status_code == 404


def test_home_has_one_address() -> None:
    answer = client().get("/home?data=town", headers=BROWSER, follow_redirects=False)
    assert answer.status_code == 307 and answer.headers["location"].endswith("/?data=town")


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
    keep_parts_whole()
    keep_parts_whole()  # once for all, however often it is asked for
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
