"""A model that another machine runs: Triton or OpenVINO Model Server, by the Open Inference Protocol (KServe v2)."""
