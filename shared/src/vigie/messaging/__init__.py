"""Messages, twin and direct methods over azure-iot-device; the only package that imports it (ADR 0007)."""
