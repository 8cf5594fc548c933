"""Errors of model bundles and model files."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import PermanentError


class ModelError(PermanentError):
    """A model, its card or its bundle cannot be used; what served before goes on."""

    slug: ClassVar[str] = "model"


class CardError(ModelError):
    """card.yaml says something that cannot be: the JSON path and the reason."""

    slug: ClassVar[str] = "model-card"

    def __init__(self, card: str, path: str, reason: str) -> None:
        """``card``: the model's name or the file; ``path``: ``$.decoder.family``; ``reason``: expected and found."""
        super().__init__(f"model card '{card}': {path}: {reason}")
        self.card = card
        self.path = path
        self.reason = reason


class BundleError(ModelError):
    """A bundle folder that is not whole, not its own, or not small enough to be trusted."""

    slug: ClassVar[str] = "bundle"

    def __init__(self, bundle: str, reason: str) -> None:
        """``bundle``: its folder; ``reason``: what was found and what to do."""
        super().__init__(f"model bundle '{bundle}': {reason}")
        self.bundle = bundle
        self.reason = reason


class BundleIntegrityError(BundleError):
    """A file's sha256 is not the one its card states."""

    slug: ClassVar[str] = "bundle-integrity"

    def __init__(self, bundle: str, file: str, *, expected: str, got: str) -> None:
        """Both hashes are shown short; the attributes keep them whole."""
        super().__init__(
            bundle,
            f"{file}: sha256 is {got[:12]}.., card.yaml says {expected[:12]}..; the file was changed or the copy "
            f"broke: fetch or import the model again",
        )
        self.file = file
        self.expected = expected
        self.got = got


class BundlePathError(BundleError):
    """A file named by the bundle lies outside its folder, behind a link, or is no plain file."""

    slug: ClassVar[str] = "bundle-path"


class BundleSizeError(BundleError):
    """A file of the bundle is larger than a model or card may be."""

    slug: ClassVar[str] = "bundle-size"


class BundleSignatureError(BundleError):
    """A bundle that this device does not take, because of who signed it, or because nobody did."""

    slug: ClassVar[str] = "bundle-signature"


class TrustFileError(ModelError):
    """The file of trusted keys cannot be used; until it can, this device takes no bundle that it would judge."""

    slug: ClassVar[str] = "trust-file"

    def __init__(self, file: str, reason: str) -> None:
        """``file``: its path; ``reason``: what was found."""
        super().__init__(
            f"trusted keys '{file}': {reason}; no new model serves until it is corrected (./vigie models trust)"
        )
        self.file = file
        self.reason = reason


class SigningKeyError(ModelError):
    """A private key that nothing is signed with: other users can read it, or it is not an Ed25519 key."""

    slug: ClassVar[str] = "signing-key"

    def __init__(self, file: str, reason: str) -> None:
        """``file``: its path, never its content; ``reason``: what was found and what to do."""
        super().__init__(f"key file '{file}': {reason}")
        self.file = file
        self.reason = reason


class ModelFileError(ModelError):
    """An ONNX file that is damaged, hostile or beyond what the runtime takes."""

    slug: ClassVar[str] = "model-file"

    def __init__(self, file: str, reason: str) -> None:
        """``file``: its path; ``reason``: what was found and what to do."""
        super().__init__(f"model file '{file}': {reason}")
        self.file = file
        self.reason = reason


class ModelUnrecognisedError(ModelError):
    """No rule, or more than one, says how the outputs of a model are to be read."""

    slug: ClassVar[str] = "model-unrecognised"

    def __init__(self, file: str, reason: str) -> None:
        """``reason`` ends with what to pass."""
        super().__init__(f"model file '{file}': {reason}")
        self.file = file
        self.reason = reason


class ModelParityError(ModelError):
    """The imported model does not answer as the original file does."""

    slug: ClassVar[str] = "model-parity"

    def __init__(self, model: str, reason: str) -> None:
        """``reason``: the measured difference and its limit."""
        super().__init__(f"model '{model}': {reason}")
        self.model = model
        self.reason = reason


class DecodeError(ModelError):
    """The outputs of a run have other shapes than the card promises."""

    slug: ClassVar[str] = "model-outputs"

    def __init__(self, model: str, *, expected: tuple[tuple[int, ...], ...], got: tuple[tuple[int, ...], ...]) -> None:
        """Shapes in the order of the graph's outputs."""
        super().__init__(f"model '{model}': expected outputs {list(expected)}, got {list(got)}; card and file disagree")
        self.model = model
        self.expected = expected
        self.got = got
