"""Errors of model bundles and model files."""

from __future__ import annotations

from typing import ClassVar

from vigie.errors.base import AboutError, PermanentError


class ModelError(PermanentError):
    """A model, its card or its bundle cannot be used; what served before goes on."""


class CardError(ModelError):
    """card.yaml says something that cannot be: the JSON path and the reason."""

    slug: ClassVar[str] = "model-card"

    def __init__(self, card: str, path: str, reason: str) -> None:
        """``card``: the model's name or the file; ``path``: ``$.decoder.family``; ``reason``: expected and found."""
        super().__init__(f"model card '{card}': {path}: {reason}")
        self.card = card
        self.path = path
        self.reason = reason


class BundleError(AboutError, ModelError):
    """A bundle folder that is not whole, not its own, or not small enough to be trusted."""

    text = "model bundle '{subject}': {reason}"


class BundleIntegrityError(BundleError):
    """A file's sha256 is not the one its card states."""

    def __init__(self, bundle: str, file: str, *, expected: str, got: str) -> None:
        """Both hashes are shown short."""
        super().__init__(
            bundle,
            f"{file}: sha256 is {got[:12]}.., card.yaml says {expected[:12]}..; the file was changed or the copy "
            f"broke: fetch or import the model again",
        )


class BundlePathError(BundleError):
    """A file named by the bundle lies outside its folder, behind a link, or is no plain file."""


class BundleSizeError(BundleError):
    """A file of the bundle is larger than a model or card may be."""


class BundleSignatureError(BundleError):
    """A bundle that this device does not take, because of who signed it, or because nobody did."""


class TrustFileError(AboutError, ModelError):
    """The file of trusted keys cannot be used; until it can, this device takes no bundle that it would judge."""

    text = "trusted keys '{subject}': {reason}; no new model serves until it is corrected (./vigie models trust)"


class SigningKeyError(AboutError, ModelError):
    """A private key that nothing is signed with: other users can read it, or it is not an Ed25519 key."""

    text = "key file '{subject}': {reason}"


class ModelFileError(AboutError, ModelError):
    """An ONNX file that is damaged, hostile or beyond what the runtime takes."""

    text = "model file '{subject}': {reason}"


class ModelUnrecognisedError(AboutError, ModelError):
    """No rule, or more than one, says how the outputs of a model are to be read."""

    text = "model file '{subject}': {reason}"


class ModelParityError(AboutError, ModelError):
    """The imported model does not answer as the original file does."""

    text = "model '{subject}': {reason}"


class DecodeError(ModelError):
    """The outputs of a run have other shapes than the card promises."""

    slug: ClassVar[str] = "model-outputs"

    def __init__(self, model: str, *, expected: tuple[tuple[int, ...], ...], got: tuple[tuple[int, ...], ...]) -> None:
        """Shapes in the order of the graph's outputs."""
        super().__init__(f"model '{model}': expected outputs {list(expected)}, got {list(got)}; card and file disagree")
