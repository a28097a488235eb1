"""A real S3 server for tests, moto's, with what can go wrong between here and there."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

BUCKET = "nights"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}


class S3Server:
    """One server; `trouble` decides about requests that shall go wrong, `requests` counts them all.

    Requests are answered one at a time: S3 promises that a conditional write is atomic, moto looks and writes in two
    steps.
    """

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self.trouble = None
        self.requests = []
        self._server = make_server("127.0.0.1", 0, self._answer, True, request_handler=MotoRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        answer = self.trouble(environ) if self.trouble is not None else None
        if answer is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return answer(environ, start_response)
        with self._lock:
            return list(self._app(environ, start_response))

    @contextmanager
    def during(self, trouble):
        """Let requests go wrong inside the ``with``."""
        self.trouble = trouble
        try:
            yield
        finally:
            self.trouble = None

    def reset(self) -> None:
        """Forget everything, and make the bucket anew."""
        self.trouble = None
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()
        urlopen(Request(f"{self.url}/{BUCKET}", method="PUT")).close()
        self.requests.clear()


def refusal(status: int, code: str):
    """Return an answer that refuses as S3 does."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}, says the test</Message></Error>'
    return Response(body, status=status, content_type="application/xml")


def use(server: S3Server, monkeypatch, tmp_path) -> None:
    """Point this process, and its children, at a server, with a cache of their own."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("ISRFLOW_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def server():
    """One server a module."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(server, monkeypatch, tmp_path):
    """The server with an empty bucket, and this process pointed at it."""
    use(server, monkeypatch, tmp_path)
    server.reset()
    return server
