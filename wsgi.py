"""The WSGI application that servers and the flask command load."""

from server.app import create_app

app = create_app()
