"""The one tree of Vigie's public errors.

    VigieError
    |-- TransientError      try again: the world may change (hub away, camera silent)
    |   |-- HubUnavailableError, HubCallHungError
    `-- PermanentError      do not try again: somebody has to change something
        |-- EndpointError, MessageTooLargeError, MethodRefusedError, ThreadDiedError
        |-- ConfigRefusedError     a desired property, with its path
        |-- ProviderOptionError    an option of an execution provider
        `-- ModelError             card, bundle (path, size, sha256), model file, parity, outputs, engine (provider)

A class holds facts and builds its text: what happened, where, what to do. Each has a slug that is its
anchor in docs/errors.md; a test keeps the two equal.
"""

from __future__ import annotations

from typing import ClassVar


class VigieError(Exception):
    """Base of everything that Vigie raises on purpose."""

    slug: ClassVar[str] = "vigie-error"


class TransientError(VigieError):
    """May succeed if tried again without anybody changing anything."""

    slug: ClassVar[str] = "transient"


class PermanentError(VigieError):
    """Fails again until somebody changes something; the text says what."""

    slug: ClassVar[str] = "permanent"


# -- config -----------------------------------------------------------------------------------------------------------


class ConfigRefusedError(PermanentError):
    """A desired property (or environment value) that cannot take effect; what ran before goes on."""

    slug: ClassVar[str] = "config-refused"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the JSON ``path`` (``$.cameras.dock.source``) and a ``reason`` that says what to do."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


# -- contracts --------------------------------------------------------------------------------------------------------


class MessageRefusedError(PermanentError):
    """A message that does not decode: counted, reported, dropped; it never ends a module."""

    slug: ClassVar[str] = "message-refused"

    def __init__(self, where: str, reason: str) -> None:
        """``where``: input name and JSON path; ``reason``: what was expected and what was there."""
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


# -- frames -----------------------------------------------------------------------------------------------------------


class RingBusyError(TransientError):
    """Another process writes the ring: a former start that is still stopping, or two modules with one name."""

    slug: ClassVar[str] = "ring-busy"

    def __init__(self, ring: str, folder: str, pid: str) -> None:
        """``pid`` as the other process numbers itself, which in a container is its own count."""
        super().__init__(
            f"ring '{ring}' in {folder} is written by process {pid or 'unknown'}; "
            "stop that process or give this run its own frame folder (VIGIE_FRAMES)"
        )
        self.ring = ring
        self.pid = pid


class RingNoSpaceError(PermanentError):
    """The frame folder's file system cannot hold the ring."""

    slug: ClassVar[str] = "ring-no-space"

    def __init__(self, folder: str, needed_bytes: int, free_bytes: int) -> None:
        """Both sizes in bytes, said in MiB."""
        super().__init__(
            f"frame folder {folder}: {needed_bytes / 2**20:.1f} MiB needed, {free_bytes / 2**20:.1f} MiB free; "
            "enlarge the tmpfs of the frames volume (size=...) or use fewer cameras, a lower resolution or fewer slots"
        )
        self.folder = folder
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class RingRefusedError(PermanentError):
    """A ring file (or name) that this version cannot use."""

    slug: ClassVar[str] = "ring-refused"

    def __init__(self, reason: str) -> None:
        """``reason`` completes 'the ring ...'."""
        super().__init__(f"the ring {reason}")
        self.reason = reason


class FrameTooLargeError(PermanentError):
    """An array that does not fit the slot (or message) it was meant for."""

    slug: ClassVar[str] = "frame-too-large"

    def __init__(self, where: str, what: str, needed_bytes: int, limit_bytes: int) -> None:
        """``what``: shape and dtype."""
        super().__init__(
            f"{where}: {what} needs {needed_bytes} bytes, there is room for {limit_bytes}; "
            "open the ring for this size or scale the frame down"
        )
        self.needed_bytes = needed_bytes
        self.limit_bytes = limit_bytes


class FrameGoneError(PermanentError):
    """The pixels that a reference names are not there any more; the item is dropped and counted by ``reason``."""

    slug: ClassVar[str] = "frame-gone"

    def __init__(self, ring: str, reason: str, detail: str) -> None:
        """``reason``: overwritten | ring_gone | ring_refused | bad_reference."""
        super().__init__(f"frame in ring '{ring[:160]}' is gone ({reason}): {detail}")
        self.ring = ring
        self.reason = reason


# -- messaging --------------------------------------------------------------------------------------------------------


class EndpointError(PermanentError):
    """/metrics, /healthz and /readyz cannot be served, or nobody could be told where."""

    slug: ClassVar[str] = "endpoint"

    def __init__(self, where: str, reason: str, variable: str) -> None:
        """``where``: address or file; ``variable``: the environment variable to change."""
        super().__init__(f"cannot serve health and metrics at {where}: {reason}; set {variable} to another one")
        self.where = where
        self.reason = reason
        self.variable = variable


class HubUnavailableError(TransientError):
    """The hub did not take a message or answer a request in time; it was not acknowledged, so send it again."""

    slug: ClassVar[str] = "hub-unavailable"


class HubCallHungError(TransientError):
    """A call into the hub client did not return in time; the client is replaced by a new one."""

    slug: ClassVar[str] = "hub-call-hung"

    def __init__(self, call: str, deadline_s: float) -> None:
        """``call``: what was asked of the client."""
        super().__init__(f"{call}: no answer from the hub client within {deadline_s:g} s; it is replaced by a new one")
        self.call = call
        self.deadline_s = deadline_s


class MessageTooLargeError(PermanentError):
    """A message above what the hub takes (body and all properties): it would be acknowledged and dropped there."""

    slug: ClassVar[str] = "message-too-large"

    def __init__(self, output: str, size_bytes: int, limit_bytes: int) -> None:
        """Sizes by the hub's arithmetic."""
        super().__init__(
            f"output '{output}': one item makes {size_bytes} bytes, the hub takes {limit_bytes}; send less"
        )
        self.output = output
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class MethodRefusedError(PermanentError):
    """A direct method that a handler refuses: 400 bad request, 404 no such thing, 409 wrong state, 503 try again."""

    slug: ClassVar[str] = "method-refused"

    def __init__(self, status: int, reason: str) -> None:
        """``reason`` goes to the caller."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


class ThreadDiedError(PermanentError):
    """A worker thread ended by an exception: the process ends too, for its supervisor to restart it."""

    slug: ClassVar[str] = "thread-died"

    def __init__(self, name: str, cause: BaseException) -> None:
        """``name`` of the thread; ``cause`` is chained."""
        super().__init__(f"thread '{name}' ended by {type(cause).__name__}: {cause}; the process ends to be restarted")
        self.name = name


# -- camera -----------------------------------------------------------------------------------------------------------


class SyntheticSourceError(PermanentError):
    """A ``synthetic://`` URL that names no scene that can be rendered."""

    slug: ClassVar[str] = "synthetic-source"

    def __init__(self, url: str, key: str, reason: str) -> None:
        """``key`` of the query (or ``scheme``, ``scene``) and what is allowed there."""
        super().__init__(
            f"{url[:200]!r}: {key}: {reason}; example: synthetic://conveyor?seed=1&fps=30&size=640x480&difficulty=normal"
        )
        self.key = key
        self.reason = reason


class SourceRefusedError(PermanentError):
    """A camera source of a kind that this version cannot open; ``source`` is shown without its secrets."""

    slug: ClassVar[str] = "source-refused"

    def __init__(self, source: str, reason: str) -> None:
        """``source``: redacted; ``reason``: what is supported."""
        super().__init__(f"source {source[:200]!r}: {reason}")
        self.source = source
        self.reason = reason


class SourceOpenError(TransientError):
    """A camera source that does not open, or gives no picture; it is tried again with growing pauses."""

    slug: ClassVar[str] = "source-open"

    def __init__(self, source: str, reason: str) -> None:
        """``source``: redacted; ``reason``: what happened and what to check."""
        super().__init__(f"source {source[:200]!r}: {reason}")
        self.source = source
        self.reason = reason


class SecretMissingError(TransientError):
    """A source names a secret that neither a file nor the environment holds; looked up again with each attempt."""

    slug: ClassVar[str] = "secret-missing"

    def __init__(self, name: str, folder: str) -> None:
        """``name`` of the secret, never its value; ``folder`` where its file was looked for."""
        super().__init__(
            f"secret '{name}' is not a readable file in {folder}; write {folder}/{name} with the value "
            f"and {folder}/{name}.host with the host that may get it"
        )
        self.name = name


class SecretRefusedError(TransientError):
    """A secret that this source may not have, or whose file is not one short text; tried again with each opening."""

    slug: ClassVar[str] = "secret-refused"

    def __init__(self, name: str, reason: str) -> None:
        """``name`` of the secret, never its value; ``reason`` completes 'secret NAME ...'."""
        super().__init__(f"secret '{name}' {reason}")
        self.name = name
        self.reason = reason


# -- models and runtimes ----------------------------------------------------------------------------------------------


class ImageShapeError(PermanentError):
    """An array that is no picture of the expected shape and type."""

    slug: ClassVar[str] = "image-shape"

    def __init__(self, what: str, *, expected: str, got: str) -> None:
        """``what``: which array (frame, tensor); shapes with their dtype."""
        super().__init__(f"{what}: expected {expected}, got {got}")
        self.what = what


class PixelFormatError(PermanentError):
    """Bytes that cannot be a frame of the format they claim, or a format that a ring does not hold."""

    slug: ClassVar[str] = "pixel-format"

    def __init__(self, what: str, problem: str) -> None:
        """``what``: which frame or ring; ``problem``: a verb phrase."""
        super().__init__(f"{what}: {problem}")
        self.what = what


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


class EngineError(ModelError):
    """The runtime cannot load a variant, or failed while it ran it."""

    slug: ClassVar[str] = "engine"

    def __init__(self, model: str, reason: str, remedy: str = "") -> None:
        """``reason``: the runtime's own first line; ``remedy``: what to do, where that is known."""
        super().__init__(f"model '{model}': {reason}" + (f"; {remedy}" if remedy else ""))
        self.model = model
        self.reason = reason
        self.remedy = remedy


class ProviderError(EngineError):
    """The execution provider that was asked for is not the one that would run."""

    slug: ClassVar[str] = "engine-provider"


class ProviderOptionError(PermanentError):
    """An option that a provider does not have, or a value that it does not take; the runtime would say nothing."""

    slug: ClassVar[str] = "provider-option"

    def __init__(self, provider: str, option: str, reason: str) -> None:
        """``reason`` names the nearest option, or what the value may be."""
        super().__init__(f"provider '{provider}': option '{option}' {reason}")
        self.provider = provider
        self.option = option
        self.reason = reason


class EngineDiedError(EngineError):
    """The process of an isolated engine ended; the next proven candidate answers."""

    slug: ClassVar[str] = "engine-died"

    def __init__(self, model: str, what: str, how: str, said: str) -> None:
        """``what`` it was doing; ``how`` it ended; ``said``: the last lines of its native code."""
        tail = f"; it said: {said}" if said else ""
        super().__init__(model, f"during {what} the engine's process {how}{tail}")


class EngineHungError(EngineError):
    """An isolated engine did not answer in time and its process was ended; the next proven candidate answers."""

    slug: ClassVar[str] = "engine-hung"

    def __init__(self, model: str, what: str, limit_s: float) -> None:
        """``what`` it was doing."""
        super().__init__(model, f"during {what} the engine did not answer within {limit_s:g} s; its process was ended")


class EngineOutputError(EngineError):
    """A run gave NaN or infinity where the reference does not; the next proven candidate answers."""

    slug: ClassVar[str] = "engine-output"

    def __init__(self, model: str, output: int) -> None:
        """``output``: its number in graph order."""
        super().__init__(model, f"output {output} of a run holds NaN or infinity")


# -- sync -------------------------------------------------------------------------------------------------------------


class LedgerUnavailableError(TransientError):
    """The ledger cannot be read or written now; what was recorded is still in it, what comes waits."""

    slug: ClassVar[str] = "ledger-unavailable"

    def __init__(self, path: str, reason: str) -> None:
        """``reason`` as the database or the operating system gives it."""
        super().__init__(
            f"ledger {path}: {reason}; nothing recorded is lost, it is tried again: "
            "make room on the disk or make the state folder writable"
        )
        self.path = path
        self.reason = reason


class LedgerRefusedError(PermanentError):
    """A ledger that a newer version of the module wrote."""

    slug: ClassVar[str] = "ledger-refused"

    def __init__(self, path: str, version: int, known: int) -> None:
        """``known``: the version this module writes."""
        super().__init__(
            f"ledger {path} has version {version}, newer than {known}, which this module reads; "
            "update the sync module, or move the file away and keep it"
        )
        self.path = path


# -- hub and dev kit --------------------------------------------------------------------------------------------------


class HubStartError(PermanentError):
    """The local edge hub cannot start (or cannot take a manifest): one sentence says what to change."""

    slug: ClassVar[str] = "hub-start"


class UpstreamUnreadableError(PermanentError):
    """The record of `$upstream` is not there or not readable."""

    slug: ClassVar[str] = "upstream-unreadable"

    def __init__(self, file: object, reason: str) -> None:
        """``file``: its path; ``reason``: what was found and what to do."""
        super().__init__(f"upstream record {file}: {reason}")
        self.file = file
        self.reason = reason


class HubAwayError(TransientError):
    """No local hub answers where one was said to be."""

    slug: ClassVar[str] = "hub-away"


class HubAnswerError(PermanentError):
    """The local hub answered a command with an error, in the form of IoT Hub's service REST."""

    slug: ClassVar[str] = "hub-answer"

    def __init__(self, status: int, error_code: int, message: str) -> None:
        """``status`` is HTTP's, ``error_code`` IoT Hub's (404103 and the like)."""
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message


class RouteRefusedError(PermanentError):
    """A route that edgeHub would refuse; the whole new configuration with it, the old one stays in force."""

    slug: ClassVar[str] = "route-refused"

    def __init__(self, route: str, column: int, reason: str) -> None:
        """``column`` counts characters of ``route`` from 1; ``reason``: what was expected there."""
        super().__init__(f"column {column}: {reason}")
        self.route = route
        self.column = column
        self.reason = reason


class HubConfigRefusedError(PermanentError):
    """Desired properties of ``$edgeHub`` that cannot take effect."""

    slug: ClassVar[str] = "hub-config-refused"

    def __init__(self, path: str, reason: str) -> None:
        """Keep the JSON ``path`` (``$.routes.cameraToSync``) and a ``reason`` that says what to do."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class CatalogueError(PermanentError):
    """A catalogue of models that cannot be read, or that lacks the model asked for."""

    slug: ClassVar[str] = "catalogue"

    def __init__(self, file: str, reason: str) -> None:
        """``file``: its path; ``reason``: what was found and what to do."""
        super().__init__(f"catalogue {file}: {reason}")
        self.file = file
        self.reason = reason


class DownloadError(TransientError):
    """A download that was interrupted or found nobody; the next one goes on where it stopped."""

    slug: ClassVar[str] = "download"

    def __init__(self, url: str, reason: str) -> None:
        """``url``: without secrets; ``reason``: what happened."""
        super().__init__(f"{url}: {reason}; run it again, it goes on where it stopped")
        self.url = url
        self.reason = reason


class DownloadRefusedError(PermanentError):
    """A download that cannot become the file that was asked for, or has no place to go."""

    slug: ClassVar[str] = "download-refused"

    def __init__(self, what: str, reason: str) -> None:
        """``what``: the URL without secrets, or the folder; ``reason``: what was found and what to do."""
        super().__init__(f"{what}: {reason}")
        self.what = what
        self.reason = reason


class DatasetError(PermanentError):
    """A folder of pictures with truth that cannot be read."""

    slug: ClassVar[str] = "dataset"

    def __init__(self, where: str, reason: str) -> None:
        """``where``: folder or file; ``reason``: what was expected and what was there."""
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


# -- quantization -----------------------------------------------------------------------------------------------------


class CalibrationError(PermanentError):
    """Pictures that ranges cannot be taken from, or accuracy not be judged on."""

    slug: ClassVar[str] = "calibration"

    def __init__(self, source: str, reason: str) -> None:
        """``source``: as given; ``reason``: what was found and what to pass instead."""
        super().__init__(f"calibration source '{source}': {reason}")
        self.source = source
        self.reason = reason


class QuantizationError(ModelError):
    """A graph that cannot be quantized as asked, or encodings that do not fit it."""

    slug: ClassVar[str] = "quantization"

    def __init__(self, what: str, reason: str) -> None:
        """``what``: the variant or file; ``reason``: what stands in the way and what to do."""
        super().__init__(f"quantization of '{what}': {reason}")
        self.what = what
        self.reason = reason
