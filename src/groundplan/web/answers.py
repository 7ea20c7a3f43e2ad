"""Answers that were computed: in this process, and by jobs."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from groundplan import __version__
from groundplan.atomic import write_whole

KEPT = 256  # in memory, and on disk; a training run with its formula trees has a quarter of a megabyte
FOLDER = "answers"


class Answers:
    """Answers to questions by their values. An answer is the same for all who ask on one day, as prices age by days.

    Parameters
    ----------
    folder : Path
        Where jobs leave their answers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._held: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._lock = Lock()

    def ask(self, task: str, values: Mapping[str, str], work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return the answer to a question, which nobody may change; `work` computes it where nobody has."""
        key = _key(task, values)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        answer = self._left(key) or work()
        with self._lock:
            self._held[key] = answer
            if len(self._held) > KEPT:
                self._held.popitem(last=False)
        return answer

    def has(self, task: str, values: Mapping[str, str]) -> bool:
        """Say whether an answer is there."""
        key = _key(task, values)
        return key in self._held or (self._folder / key).exists()

    def leave(self, task: str, values: Mapping[str, str], answer: Mapping[str, Any]) -> None:
        """Leave an answer for every process of the server."""
        self._folder.mkdir(exist_ok=True, mode=0o700)
        write_whole(self._folder / _key(task, values), json.dumps(answer, ensure_ascii=False).encode())
        oldest_first = sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in oldest_first[:-KEPT]:
            path.unlink(missing_ok=True)

    def _left(self, key: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = json.loads((self._folder / key).read_bytes())
        except OSError:
            return None
        return found


def _key(task: str, values: Mapping[str, str]) -> str:
    asked = [task, sorted(values.items()), date.today().isoformat(), __version__]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
