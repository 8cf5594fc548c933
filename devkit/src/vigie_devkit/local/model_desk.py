"""Where the page of a local run hands in a model file that was dropped on it: taken, hashed, imported apart, answered.

Only ``up`` serves it, in the run's folder, to its own user. The bundle lies outside every shelf, so that no name leads
to it and nothing serves from it; it goes with the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from vigie.contracts.dropped import LINE_BYTES_MAX, SOCKET_NAME, DroppedAnswer, DroppedFile
from vigie.socket_paths import short_socket_path
from vigie_devkit.local.programs import python

FOLDER_NAME = "dropped"
IMPORT_WITHIN_S = 300.0
UPLOAD_WITHIN_S = 300.0
# The newest may be on trial; the others wait for nothing.
_KEPT = 2
_CHUNK_BYTES = 1 << 20
_ANSWER_BYTES_MAX = 4 << 20
_SUFFIXES = (".onnx", ".zip")


class ModelDesk:
    """One file at a time. ``folder``: of the run; what is dropped lies in a folder of its own below. ``note`` tells."""

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self._folder, self._note = folder / FOLDER_NAME, note
        self._number = 0
        self._busy = False

    def clear(self) -> None:
        """Forget everything that was dropped."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, as ``vigie.contracts.dropped`` says; never raises, but when it is cancelled."""

        async def answer(text: DroppedAnswer) -> None:
            writer.write(msgspec.json.encode(text) + b"\n")
            await writer.drain()

        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, TimeoutError):
            try:
                asked = msgspec.json.decode(await reader.readuntil(b"\n"), type=DroppedFile)
            except msgspec.MsgspecError as error:
                await answer(DroppedAnswer(str(error)))
            else:
                if (reason := self._refusal(asked)) is not None:
                    await answer(DroppedAnswer(reason))
                else:
                    self._busy = True
                    try:
                        await answer(DroppedAnswer())
                        await answer(await self._take(asked, reader))
                    finally:
                        self._busy = False
        writer.close()

    def _refusal(self, asked: DroppedFile) -> str | None:
        if not asked.name.lower().endswith(_SUFFIXES):
            return (
                f"{asked.name[:80]!r}: expected an .onnx file, or the .zip that Azure Custom Vision or AutoML exports"
            )
        return "another file is being imported; wait until that has ended" if self._busy else None

    async def _take(self, asked: DroppedFile, reader: asyncio.StreamReader) -> DroppedAnswer:
        self._number += 1
        place = self._folder / str(self._number)
        try:
            for former in range(self._number - _KEPT):
                shutil.rmtree(self._folder / str(former), ignore_errors=True)
            place.mkdir(parents=True, mode=0o700)
            file = place / _safe(asked.name)
            async with asyncio.timeout(UPLOAD_WITHIN_S):
                sha256 = await _receive(reader, file, asked.bytes)
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            return DroppedAnswer(
                f"the file cannot be kept for its import: {error.strerror or 'it did not come in time'}"
            )
        except BaseException:  # given up while it came: nothing stays
            shutil.rmtree(place, ignore_errors=True)
            raise
        answer = await _import(place, file.name, sha256, asked)
        file.unlink(missing_ok=True)
        if answer.imported is None:
            shutil.rmtree(place, ignore_errors=True)
        outcome = "imported to be tried" if answer.imported else f"refused: {answer.reason}"
        self._note(f"vigie: {file.name} (sha256 {sha256[:12]}..) was dropped on the page and {outcome}")
        return answer


@asynccontextmanager
async def serve_model_desk(folder: Path, note: Callable[[str], None]) -> AsyncIterator[None]:
    """Take dropped model files while entered; ``folder`` is the run's. Raises: OSError."""
    desk = ModelDesk(folder, note)
    desk.clear()
    at_work: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        at_work.add(task)
        try:
            await desk.serve(reader, writer)
        finally:
            at_work.discard(task)

    path = folder / SOCKET_NAME
    path.unlink(missing_ok=True)  # of an `up` that was killed
    with short_socket_path(folder, SOCKET_NAME) as short:
        server = await asyncio.start_unix_server(serve, short, limit=LINE_BYTES_MAX)
    try:
        path.chmod(0o600)
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        for task in at_work:
            task.cancel()
        if at_work:
            await asyncio.wait(at_work)
        desk.clear()


async def _receive(reader: asyncio.StreamReader, file: Path, size: int) -> str:
    """Exactly ``size`` bytes into ``file``; returns their sha256. Raises: OSError once all have come."""
    digest, left, failed = hashlib.sha256(), size, None
    with file.open("xb") as out:
        while left:
            part = await reader.read(min(left, _CHUNK_BYTES))
            if not part:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(part)
            digest.update(part)
            if failed is None:
                try:
                    out.write(part)
                except OSError as error:
                    failed = error  # the rest is read all the same: who sends it listens only afterwards
    if failed is not None:
        raise failed
    return digest.hexdigest()


async def _import(place: Path, file: str, sha256: str, asked: DroppedFile) -> DroppedAnswer:
    """In a process of its own, which has only ``place``."""
    task = {"folder": str(place), "file": file, "sha256": sha256, "choices": asked.choices}
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    child = await asyncio.create_subprocess_exec(
        *python("vigie_devkit.models.dropped"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, "TMPDIR": str(place), "HOME": str(place)},
        cwd=place,
    )
    try:
        async with asyncio.timeout(IMPORT_WITHIN_S):
            told, complaint = await child.communicate(msgspec.json.encode(task) + b"\n")
    except TimeoutError:
        by_hand = f"import it by hand: ./vigie models import {file}"
        return DroppedAnswer(f"its import took longer than {IMPORT_WITHIN_S:.0f} s and was ended; {by_hand}")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    last = told[-_ANSWER_BYTES_MAX:].strip().rpartition(b"\n")[2]
    if child.returncode:
        words = complaint.decode(errors="replace").strip().rpartition("\n")[2][:300]
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        return DroppedAnswer(f"its import ended with {how}, apart from everything that serves: {words or 'no reason'}")
    try:
        answer = msgspec.json.decode(last, type=DroppedAnswer)
    except msgspec.MsgspecError:
        return DroppedAnswer("its import answered something that cannot be read; the file is not trusted")
    if answer.imported is None:
        return answer
    # Where it lies is this process's to say, and what was hashed too.
    bundle = next(iter(sorted((place / "bundle").iterdir())), None) if (place / "bundle").is_dir() else None
    if bundle is None:
        return DroppedAnswer("its import left no bundle")
    placed = msgspec.structs.replace(answer.imported, path=str(bundle), sha256=sha256)
    return msgspec.structs.replace(answer, imported=placed)


def _safe(name: str) -> str:
    """A file's name without anything that leads elsewhere; its ending stays."""
    stem, _, ending = name.rpartition(".")
    cleaned = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "-" for one in stem).strip("-._")
    return f"{cleaned[:80] or 'model'}.{ending.lower()}"
