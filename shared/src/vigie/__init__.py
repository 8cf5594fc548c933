"""Vigie: quantized computer vision on Azure IoT Edge."""
