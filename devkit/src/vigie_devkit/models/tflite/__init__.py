"""A .tflite file as a float ONNX graph, proven against LiteRT's own answers operator by operator."""
