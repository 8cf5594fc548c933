"""A model that another machine runs: Triton, by the Open Inference Protocol (KServe v2)."""
