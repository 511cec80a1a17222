"""Settles whatever is due in the database of the environment as fast as it goes, and exits."""

from server.app import create_app
from storefront import due

if __name__ == "__main__":
    with create_app().app_context():
        while sum(due.settle_due(program_id) for program_id in due.programs_due()):
            pass
