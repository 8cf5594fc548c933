"""Evidence: what a file's weights and a run of it say about how it is fed and read, against what its outside suggests.

Recognition proposes a reading from names and shapes; nothing here names a family.
Why: docs/decisions/0035-evidence-decides.md.
"""
