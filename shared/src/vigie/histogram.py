"""Quantiles out of the buckets of a Prometheus histogram, as Prometheus itself estimates them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

# Upper bounds in seconds: from one stage on a fast machine to a camera that nobody keeps up with.
DELAY_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30),
)


def quantile(buckets: Mapping[str, float], share: float) -> float | None:
    """The value that ``share`` (0..1) of the observations do not exceed, interpolated within its bucket.

    Args: buckets: cumulative count by the label ``le``, as on /metrics. A quantile beyond the last finite bound is that
    bound. None: nothing was observed.
    Source: ``histogram_quantile`` of Prometheus.
    """
    ordered = sorted((math.inf if bound == "+Inf" else float(bound), count) for bound, count in buckets.items())
    if not ordered or ordered[-1][1] <= 0:
        return None
    rank, low, below = share * ordered[-1][1], 0.0, 0.0
    for high, count in ordered:
        if count >= rank and count > below:
            return low if math.isinf(high) else low + (high - low) * (rank - below) / (count - below)
        low, below = high if not math.isinf(high) else low, count
    return low
