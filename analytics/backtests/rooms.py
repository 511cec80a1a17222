"""Rooms: a directory of its own for each back-test that runs, for nobody else's eyes.

Owns their names and that none is left behind. Whoever works in a room holds a lock on it, which
ends with the process, however that ends: what nobody holds is a leftover and is removed. Refuses
to touch what another account owns, or what is held, by whatever instance.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "dangol-backtest-"
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextlib.contextmanager
def opened(name: str) -> Iterator[Path]:
    """A room named after a back-test; gone afterwards."""
    path, held = _make(name)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(held)


def _make(name: str) -> tuple[Path, int]:
    """A new room, and what holds it."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-"))
        with contextlib.suppress(FileNotFoundError):
            held = os.open(path, _FLAGS)
            fcntl.flock(held, fcntl.LOCK_EX)
            # Before it was held somebody who removes leftovers may have found it.
            if path.is_dir():
                return path, held
            os.close(held)


def private(path: Path) -> Path:
    """A new file that only this account reads."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return path


def clear() -> int:
    """Remove what killed processes left behind; how many rooms."""
    return sum(_remove(path) for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"))


def _remove(path: Path) -> bool:
    try:
        found = os.open(path, _FLAGS)
    except OSError:
        # Gone meanwhile, no directory, or not ours.
        return False
    try:
        if os.fstat(found).st_uid != os.geteuid():
            return False
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(found)
    return not path.exists()
