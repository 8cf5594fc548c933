"""The provider table: who can run a model, what each needs, and which options it takes."""

from __future__ import annotations

from vigie.runtimes.providers import cpu, intel, litert, nvidia, others, qualcomm, webgpu
from vigie.runtimes.providers.options import check_options
from vigie.runtimes.providers.row import Row

# The order is that of the documents; which candidate wins is measured, never read from here.
TABLE: dict[str, Row] = {
    row.id: row
    for rows in (cpu.ROWS, intel.ROWS, nvidia.ROWS, qualcomm.ROWS, webgpu.ROWS, litert.ROWS, others.ROWS)
    for row in rows
}

__all__ = ["TABLE", "Row", "check_options"]
