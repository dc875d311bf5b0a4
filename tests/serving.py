"""A quiet server of a folder, as `python -m http.server` is one, for tests."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on loopback until it leaves its `with`; can be told to serve another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        super().__exit__(*error)

    def handle_error(self, *_) -> None:
        """A browser that leaves a page hangs up."""


class Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, request, address, server) -> None:
        super().__init__(request, address, server, directory=server.folder)

    def log_message(self, *_) -> None:
        pass
