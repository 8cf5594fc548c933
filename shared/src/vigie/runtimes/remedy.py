"""What to do about an engine that cannot serve, in words that hold beside a checkout and inside a container."""

from __future__ import annotations

SEE_DOCTOR = "see: ./vigie doctor, or in a container: python -m vigie.runtimes.doctor"
