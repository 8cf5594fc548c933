"""One file a verb of ``vigie models``."""
