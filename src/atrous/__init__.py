"""Atrous: open, self-hosted semantic segmentation."""

import os

__version__ = "0.1.0"

# ONNX Runtime 1.32 and later tell their makers what is done with them, and keep an id of the device, unless this is set
# before the import; `disable_telemetry_events` comes too late.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
