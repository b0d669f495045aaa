"""What was served, when and with what: a run folder of kind `serve`, sealed once the server has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
from msgspec import structs

from harness.schema import Manifest
from harness.serving.smoke import Finding
from harness.store import RunFolder, now


class History:
    """The record of one deployment, which grows while it lasts."""

    def __init__(self, folder: RunFolder, manifest: Manifest) -> None:
        self.folder = folder
        self._manifest = manifest
        folder.write_manifest(manifest)

    def tested(self, findings: Sequence[Finding]) -> None:
        """Keep what the smoke test found, and when."""
        smoke: dict[str, Any] = {"at": now(), "findings": msgspec.to_builtins(list(findings))}
        self._write(engine=self._manifest.engine | {"smoke": smoke})

    def end(self, status: Literal["finished", "failed", "interrupted"], why: str = "") -> None:
        """Write how it ended, and seal the folder."""
        self._write(status=status, ended=now(), notes=[*self._manifest.notes, *([why] if why else [])])
        self.folder.seal()

    def _write(self, **changes: Any) -> None:
        self._manifest = structs.replace(self._manifest, **changes)
        self.folder.write_manifest(self._manifest)


@contextmanager
def kept(folder: RunFolder, manifest: Manifest) -> Iterator[History]:
    """Keep a record while the block lasts, and how the block ended."""
    history = History(folder, manifest)
    try:
        yield history
    except KeyboardInterrupt:
        history.end("interrupted")
        raise
    except BaseException as error:
        history.end("failed", str(error))
        raise
    history.end("finished")
