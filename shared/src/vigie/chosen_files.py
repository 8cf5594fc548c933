"""What chosen files and their facts are bound to, where the camera module seals them for the evidence module.

Both lie in the camera module's folder of evidence (``vigie.contracts.evidence``), in the clear or sealed with the
device's key: facts as one record, the file in records (``vigie.sealed_files``).
"""

from __future__ import annotations


def about_chosen(file: str) -> str:
    """What the content of ``file`` is bound to: its name."""
    return f"chosen/{file}"


def about_chosen_facts(name: str) -> str:
    """What the facts of the evidence ``name`` are bound to."""
    return f"chosen-facts/{name}"
