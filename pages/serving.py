"""What a page's address leads to: it is told where its server is, and Home has one address."""

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
