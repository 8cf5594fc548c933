"""One upload: in one piece or in blocks, gone on with where it ended, compared with what the account has.

Source: learn.microsoft.com/rest/api/storageservices: put-blob, put-block, put-block-list, get-block-list.
"""

from __future__ import annotations

import base64
import hashlib

from vigie_evidence.azure.answers import Code
from vigie_evidence.azure.block_list import Blocks, block_list, block_name, read_block_list
from vigie_evidence.azure.requests import AzureResponse, BlobClient
from vigie_evidence.target import ContentRefusedError, TargetAwayError, Upload, UploadReceipt

_CREATED = 201
# The blob's name is made of the evidence: a second try with the same name is the same evidence, or a mistake.
_ONCE = {"if-none-match": "*"}


class BlobUpload:
    """``run`` once."""

    def __init__(self, client: BlobClient, upload: Upload, block_bytes: int, retention_days: int | None) -> None:
        self._client, self._upload = client, upload
        self._block_bytes, self._retention_days = block_bytes, retention_days

    async def run(self) -> UploadReceipt:
        """Raises: as ``Target.upload``; TimeoutError, ClientError, OSError: no answer."""
        if self._upload.facts.bytes <= self._block_bytes:
            return await self._in_one()
        return await self._in_blocks()

    async def _in_one(self) -> UploadReceipt:
        content = self._upload.data.read(0, self._upload.facts.bytes)
        self._upload.moved(len(content))
        headers = self._described() | _ONCE | {"x-ms-blob-type": "BlockBlob", "content-md5": _md5(content)}
        answer = await self._client.ask("PUT", self._upload.blob, headers=headers, body=content)
        if answer.status == _CREATED:
            return UploadReceipt(self._client.address(self._upload.blob))
        return await self._there_already(answer)

    async def _in_blocks(self) -> UploadReceipt:
        facts, blob = self._upload.facts, self._upload.blob
        have = await self._blocks()
        if have.committed:
            return await self._compared()
        names, resumed = [], 0
        for index, at in enumerate(range(0, facts.bytes, self._block_bytes)):
            name = block_name(facts.sha256, self._block_bytes, index)
            names.append(name)
            length = min(self._block_bytes, facts.bytes - at)
            if have.waiting.get(name) == length:
                resumed += 1
                continue
            content = self._upload.data.read(at, length)
            self._upload.moved(length)
            query, headers = {"comp": "block", "blockid": name}, {"content-md5": _md5(content)}
            answer = await self._client.ask("PUT", blob, query, headers, content)
            if answer.status != _CREATED:
                raise self._client.refusal(answer)
        answer = await self._client.ask(
            "PUT", blob, {"comp": "blocklist"}, self._described() | _ONCE, block_list(names)
        )
        if answer.status != _CREATED:
            if answer.code == Code.BLOCKS_GONE:
                raise TargetAwayError("blocks that were sent before are gone; all are sent again")
            return await self._there_already(answer)
        taken = await self._compared()
        return UploadReceipt(taken.url, taken.verified, resumed)

    async def _blocks(self) -> Blocks:
        """What a former try left; nothing where the token may not ask."""
        answer = await self._client.ask("GET", self._upload.blob, {"comp": "blocklist", "blocklisttype": "all"})
        if answer.status == 200:
            try:
                return read_block_list(answer.body)
            except ValueError as error:
                raise TargetAwayError(str(error)) from error
        if answer.status in {403, 404}:
            # 403: a token without r, or one that is not valid, which the first block will tell. 404: nothing yet.
            return Blocks({}, committed=False)
        raise self._client.refusal(answer)

    async def _there_already(self, answer: AzureResponse) -> UploadReceipt:
        if answer.status == 409 and answer.code == Code.EXISTS:
            return await self._compared()
        raise self._client.refusal(answer)

    async def _compared(self) -> UploadReceipt:
        """The blob that is there is ours, whole. Raises: ContentRefusedError: it is another."""
        facts = self._upload.facts
        answer = await self._client.ask("HEAD", self._upload.blob)
        url = self._client.address(self._upload.blob)
        if answer.status == 403:
            return UploadReceipt(
                url, verified=False
            )  # a token without r cannot look; every piece was checked by its MD5
        if answer.status != 200:
            raise self._client.refusal(answer)
        length, sha256 = answer.headers.get("content-length"), answer.headers.get("x-ms-meta-sha256")
        if length != str(facts.bytes) or sha256 != facts.sha256:
            raise ContentRefusedError(
                f"another blob has the name '{self._upload.blob}' ({length} bytes, sha256 {str(sha256)[:12]}); "
                "it is left as it is"
            )
        return UploadReceipt(url)

    def _described(self) -> dict[str, str]:
        """Headers of the blob as a whole. Metadata names are C# identifiers; values ASCII.

        Raises: DamagedError: what is on the disk is not what was taken.
        """
        facts = self._upload.facts
        found = {
            "x-ms-blob-content-type": facts.content_type,
            "x-ms-blob-content-md5": self._upload.data.md5(),
            "x-ms-meta-sha256": facts.sha256,
            "x-ms-meta-kind": facts.kind,
            "x-ms-meta-camera": facts.camera,
            "x-ms-meta-at": facts.at,
            "x-ms-meta-retentiondays": "" if self._retention_days is None else str(self._retention_days),
        }
        if facts.about is not None:
            found |= {"x-ms-meta-eventkey": facts.about.key, "x-ms-meta-eventid": facts.about.id}
        return {name: value.encode("ascii", "replace").decode() for name, value in found.items() if value}


async def replaced(client: BlobClient, blob: str, content: bytes) -> None:
    """Put a small text there, whatever was there. Raises: as ``BlobUpload.run``."""
    headers = {
        "x-ms-blob-type": "BlockBlob", "x-ms-blob-content-type": "application/x-ndjson", "content-md5": _md5(content),
    }  # fmt: skip
    answer = await client.ask("PUT", blob, headers=headers, body=content)
    if answer.status != _CREATED:
        raise client.refusal(answer)


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
