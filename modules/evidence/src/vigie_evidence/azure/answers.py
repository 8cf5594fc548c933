"""What a storage account's answer means: taken, tried again, or never. Pure; texts are for people, kinds for code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from vigie_evidence.target import ContentRefusedError, TargetAwayError

# Above it a storage account refuses what is signed by the time.
_SKEW = timedelta(minutes=5)
_LONGEST_RETRY_AFTER_S = 3600.0
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,80})</Code>")


class Code(StrEnum):
    """Codes that are acted on; Azure has some hundred."""

    EXISTS = "BlobAlreadyExists"
    BAD_MD5 = "Md5Mismatch"
    BLOCKS_GONE = "InvalidBlockList"


# The request itself is wrong, and will be the next time too.
_REFUSALS = frozenset({400, 405, 411, 413, 414, 415, 501})


def code_of(headers: Mapping[str, str], body: str) -> str:
    """Azure's word for it; empty: it gave none."""
    found = _CODE.search(body)
    return headers.get("x-ms-error-code") or (found.group(1) if found else "")


def refusal(
    status: int, headers: Mapping[str, str], body: str, *, now: datetime, expires: datetime | None
) -> TargetAwayError | ContentRefusedError:
    """The error to raise for an answer that is not a success.

    Args: now: of this device's clock; the server's is in its answer. ``expires``: of the token.
    """
    code = code_of(headers, body)
    text = f"answered {status}{f' {code}' if code else ''}"
    server = _server_time(headers)
    if status in {401, 403}:
        return TargetAwayError(f"{text}: {_why_forbidden(code, now, server, expires)}", patient=True)
    if status == 404:
        what = "the container does not exist; create it" if code != "ResourceNotFound" else "there is no such address"
        return TargetAwayError(f"{text}: {what}, or correct url", patient=True)
    if status == 400 and code == Code.BAD_MD5:
        return TargetAwayError(f"{text}: what arrived is not what was sent; it is sent again")
    if status in _REFUSALS:
        return ContentRefusedError(text)
    after = headers.get("retry-after", "")
    retry_s = min(float(after), _LONGEST_RETRY_AFTER_S) if after.isdigit() else None
    return TargetAwayError(text, retry_s)


def _why_forbidden(code: str, now: datetime, server: datetime | None, expires: datetime | None) -> str:
    if server is not None and abs(server - now) > _SKEW:
        way = "behind" if server > now else "ahead of"
        minutes = abs(server - now).total_seconds() / 60
        return f"this device's clock is {minutes:.0f} min {way} the storage account's; set it (NTP)"
    if expires is not None and expires <= (server or now):
        return f"the token expired at {expires:%Y-%m-%d %H:%M} UTC; put a new one into the device's secrets folder"
    if code in {"AuthorizationPermissionMismatch", "AuthorizationPermissionDenied"}:
        return "the token does not allow it; it needs r, c and w of the container"
    if code == "AuthorizationSourceIPMismatch":
        return "the token is not for this device's address"
    return "the token or key is not valid there; put another one into the device's secrets folder"


def _server_time(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None
