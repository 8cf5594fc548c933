"""The one tree of Vigie's public errors, a file for each area; all of them are imported from here.

``TransientError``: try again, the world may change. ``PermanentError``: somebody has to change something first.
A class holds facts and builds its text: what happened, where, what to do. Each has a slug that is its anchor in
docs/errors.md; a test keeps the two equal.
"""

from __future__ import annotations

from vigie.errors.base import PermanentError, TransientError, VigieError
from vigie.errors.config import ConfigRefusedError
from vigie.errors.downloads import CatalogueError, DownloadError, DownloadRefusedError
from vigie.errors.frames import (
    FrameGoneError,
    FrameTooLargeError,
    ImageShapeError,
    PixelFormatError,
    RingBusyError,
    RingNoSpaceError,
    RingRefusedError,
)
from vigie.errors.hub import (
    HubAnswerError,
    HubAwayError,
)
from vigie.errors.ledger import LedgerRefusedError, LedgerUnavailableError, SealedError
from vigie.errors.messaging import (
    EndpointError,
    HubCallHungError,
    HubUnavailableError,
    MessageRefusedError,
    MessageTooLargeError,
    MethodRefusedError,
    ThreadDiedError,
)
from vigie.errors.models import (
    BundleError,
    BundleIntegrityError,
    BundlePathError,
    BundleSignatureError,
    BundleSizeError,
    CardError,
    DecodeError,
    ModelError,
    ModelFileError,
    ModelParityError,
    ModelUnrecognisedError,
    SigningKeyError,
    TrustFileError,
)
from vigie.errors.quantize import CalibrationError, DatasetError, QuantizationError
from vigie.errors.runtimes import (
    EngineDiedError,
    EngineError,
    EngineHungError,
    EngineLiesError,
    EngineOutputError,
    ModelHungError,
    ProviderError,
    ProviderOptionError,
)
from vigie.errors.sources import (
    SecretMissingError,
    SecretRefusedError,
    SourceOpenError,
    SourceRefusedError,
    SyntheticSourceError,
)

__all__ = [
    "BundleError",
    "BundleIntegrityError",
    "BundlePathError",
    "BundleSignatureError",
    "BundleSizeError",
    "CalibrationError",
    "CardError",
    "CatalogueError",
    "ConfigRefusedError",
    "DatasetError",
    "DecodeError",
    "DownloadError",
    "DownloadRefusedError",
    "EndpointError",
    "EngineDiedError",
    "EngineError",
    "EngineHungError",
    "EngineLiesError",
    "EngineOutputError",
    "FrameGoneError",
    "FrameTooLargeError",
    "HubAnswerError",
    "HubAwayError",
    "HubCallHungError",
    "HubUnavailableError",
    "ImageShapeError",
    "LedgerRefusedError",
    "LedgerUnavailableError",
    "MessageRefusedError",
    "MessageTooLargeError",
    "MethodRefusedError",
    "ModelError",
    "ModelFileError",
    "ModelHungError",
    "ModelParityError",
    "ModelUnrecognisedError",
    "PermanentError",
    "PixelFormatError",
    "ProviderError",
    "ProviderOptionError",
    "QuantizationError",
    "RingBusyError",
    "RingNoSpaceError",
    "RingRefusedError",
    "SealedError",
    "SecretMissingError",
    "SecretRefusedError",
    "SigningKeyError",
    "SourceOpenError",
    "SourceRefusedError",
    "SyntheticSourceError",
    "ThreadDiedError",
    "TransientError",
    "TrustFileError",
    "VigieError",
]
