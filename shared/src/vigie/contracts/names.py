"""Names of modules, outputs and inputs: one place, used by the modules and checked against the manifest by a test."""

from __future__ import annotations

CAMERA = "camera"
PREPROCESS = "preprocess"
INFERENCE = "inference"
SYNC = "sync"
VIEWER = "viewer"
ACTIONS = "actions"
EVIDENCE = "evidence"

FLOW = (CAMERA, PREPROCESS, INFERENCE, SYNC)
# With those beside the flow, which a device may leave out.
MODULES = (*FLOW, VIEWER, ACTIONS, EVIDENCE)

FRAMES = "frames"
TENSORS = "tensors"
DETECTIONS = "detections"
TELEMETRY = "telemetry"
# Facts: what sync makes of detections, and what a module tells by itself (how its cameras are).
EVENTS = "events"
INPUT_SPEC = "inputspec"
CREDIT = "credit"
# What the viewer asks for, and what it gets while somebody looks.
DEMAND = "demand"
STATUS = "status"
PREVIEW = "preview"
OVERLAY = "overlay"
TIMELINE = "timeline"
TRIAL = "trial"
# Where in a frame what a snapshot must not show is, from inference to the camera that asked.
BLUR = "blur"
# What sync asks the camera module to keep: pictures and clips of events, samples.
KEEP = "keep"
# What reached a module through the hub, line by line, where the manifest sends it upstream.
AUDIT = "audit"
