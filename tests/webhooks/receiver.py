"""A receiver of webhooks on this machine, which answers as a test tells it."""

import itertools
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, str], bytes]


class Receiver:
    """Records what it gets. `answers` are given in turn, the last one for ever; `released` holds
    back every answer until it is set; `raw` writes to the wire instead of answering."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: list[Answer] = [(204, {}, b"")]
        self.raw: Callable[[Any], None] | None = None
        self.released = threading.Event()
        self.released.set()
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._numbers = itertools.count()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._handle(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hooks?from=dangol"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        number = next(self._numbers)
        self.got.append((headers | {":path": handler.path}, body))
        self.released.wait(30)
        if self.raw is not None:
            self.raw(handler)
            return
        status, sent, content = self.answers[min(number, len(self.answers) - 1)]
        handler.send_response(status)
        for name, value in sent.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    def fail(self, times: int, *, status: int = 500) -> None:
        """Answer so many times with a failure, then with 200."""
        self.answers = [(status, {}, b"") for _ in range(times)]
        self.answers.append((200, {}, b""))

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]
