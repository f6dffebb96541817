"""The line that the server adds to Streamlit's page, before a plain Starlette application."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.serving import TOLD, TellServer, to_home

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
