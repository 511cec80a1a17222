"""The WSGI application that servers and the flask command load.

A setting that it refuses to start with ends the process with one message, and no traceback.
"""

import sys

from config import SettingsError
from server.app import create_app

try:
    app = create_app()
except SettingsError as error:
    print(f"Error: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(2)
