"""A certificate that is refused for its dates: on a device that is nearly always the device's own clock."""

from __future__ import annotations

import ssl
from datetime import datetime

# Source: OpenSSL, x509_vfy.h
_NOT_YET_VALID, _EXPIRED = 9, 10


def dates_refused(error: BaseException, now: datetime) -> str | None:
    """What to do about it, if a certificate's dates are in ``error`` or in what led to it; None otherwise.

    ``now``: what this device's clock shows, UTC.
    """
    code = _verify_code(error)
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    if code == _NOT_YET_VALID:
        return (
            f"the hub's certificate is not valid yet by this device's clock, which shows {shown}: the clock is behind "
            "(or the hub's was ahead when it made the certificate); set it, for example by NTP, and the link comes back"
        )
    if code == _EXPIRED:
        return (
            f"the hub's certificate has expired by this device's clock, which shows {shown}: if the clock is right, "
            "renew the certificate; else set it, for example by NTP, and the link comes back"
        )
    return None


def _verify_code(error: BaseException) -> int | None:
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ssl.SSLCertVerificationError):
            return one.verify_code
        # Libraries wrap it as cause, as context, or as an argument of their own exception.
        linked = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        waiting += [each for each in linked if isinstance(each, BaseException)]
    return None
