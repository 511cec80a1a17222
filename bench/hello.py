"""Owns the smallest Flask application, served as `flask serve` serves ours.

Same server, same number of workers and threads: the difference to the application is then what
the application does. `python -m bench.hello --port N` serves it until SIGTERM.
"""

import argparse

from flask import Flask
from granian import Granian
from granian.constants import Interfaces


def create_hello() -> Flask:
    """One route that answers a short text and does nothing else."""
    app = Flask("bench_hello")

    @app.get("/")
    def hello() -> str:
        return "hello"

    return app


app = create_hello()


def main() -> None:
    """Serve the hello application by granian."""
    parser = argparse.ArgumentParser(description="Serve a bare Flask page for comparison.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    Granian(
        "bench.hello:app",
        address="127.0.0.1",
        port=options.port,
        interface=Interfaces.WSGI,
        workers=options.workers,
        blocking_threads=options.threads,
        websockets=False,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
