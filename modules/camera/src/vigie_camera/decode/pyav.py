"""The back end on PyAV, FFmpeg's bindings: planes without a copy. Runs only in a decoder's process.

Traps that this file answers (each was seen with PyAV 18.1): one bad packet ends ``container.decode``, so packets are
demuxed and decoded one by one; an RTSP server that ends gives the end of the loop, not an exception; exception texts
hold the URL with its password; logging with decoder threads can deadlock, so neither is used.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from vigie_camera.cause import Cause
from vigie_camera.decode.accelerators import Accelerator, present
from vigie_camera.decode.backend import (
    Body,
    Damage,
    Decoded,
    PacketTap,
    PictureError,
    VideoError,
    VideoFacts,
    VideoOptions,
    tls_options,
)
from vigie_camera.decode.hardware import DecoderComparison, HardwareDoubtError
from vigie_camera.decode.pyav_frame import decoded_of
from vigie_camera.decode.reasons import is_network, open_failure
from vigie_camera.decode.stills import picture_codec
from vigie_camera.decode.upright import Upright
from vigie_camera.usb.address import DEVICE, read_device_address

FALLBACK_PERIOD_S: Final = 1 / 25
# Only what network cameras send: a decoder is the largest surface that a stranger's bytes meet.
_NETWORK_CODECS: Final = frozenset(
    {
        "h264",
        "hevc",
        "mjpeg",
        "mpeg4",
        "mpeg2video",
        "mpeg1video",
        "h263",
        "vp8",
        "vp9",
        "av1",
        "libdav1d",
        "libvpx-vp9",
    }
)
# Enough to find the size of any camera's video, and a second sooner than the default.
_PROBE: Final = {"probesize": "1000000", "analyzeduration": "1000000"}
# So many packets in a row without a picture, and it is no damage any more.
_HOPELESS_PACKETS: Final = 500


class PyavBackend:
    """See ``Backend``."""

    name = "pyav"

    def pictures(self, width_max: int = 0) -> PyavPictures:
        return PyavPictures(width_max)

    def open_playlist(self, playlist: Body, get: Callable[[str], Body], options: VideoOptions) -> PyavVideo:
        refused: list[VideoError] = []

        def ask(url: str, _flags: int, _options: object) -> Body:
            try:
                return get(url)
            except VideoError as error:
                refused.append(error)
                raise OSError(error.reason) from None

        try:
            container = av.open(
                playlist,
                format="hls",
                options={"http_persistent": "0", "http_multiple": "0", "live_start_index": "-1", **_PROBE},
                io_open=ask,
                timeout=(2 * options.open_timeout_s, options.read_timeout_s),
                mode="r",
            )
        except (av.FFmpegError, OSError, ValueError):
            raise (
                refused[-1]
                if refused
                else VideoError(
                    Cause.NO_VIDEO, "a playlist without segments that can be decoded; encrypted ones cannot be opened"
                )
            ) from None
        return _video(container, options, network=True)

    def open(self, address: str, options: VideoOptions) -> PyavVideo:
        if address.startswith(DEVICE):
            return _open_device(address, options)
        if options.decoding == "software":
            return self._open(address, options)
        if options.doubt:
            return self._open(address, options, decoded_by=f"software: {options.doubt}")
        decoded_by = "software: this container has no device whose decoder is known"
        for accelerator in present():
            try:
                return open_proven(address, options, accelerator)
            except HardwareDoubtError as doubt:
                decoded_by = f"software: {accelerator.device_type} is not used, {doubt}"
        return self._open(address, options, decoded_by=decoded_by)

    def _open(self, address: str, options: VideoOptions, *, decoded_by: str = "") -> PyavVideo:
        began = time.monotonic()
        try:
            container = av.open(
                address,
                options=_options(address, options),
                # The open limit counts twice: to connect, then to find the streams.
                timeout=(options.open_timeout_s / 2, options.read_timeout_s),
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise open_failure(error, address, time.monotonic() - began, options.open_timeout_s) from None
        return _video(container, options, network=is_network(address), decoded_by=decoded_by)


def open_proven(address: str, options: VideoOptions, accelerator: Accelerator) -> PyavVideo:
    """``address`` decoded by hardware, whose first pictures were found equal to the software decoder's.

    Raises: HardwareDoubtError: they were not, or it did not open. What else is wrong shows when software opens it.
    """
    name = accelerator.device_type
    try:
        container = av.open(
            address,
            options=_options(address, options),
            timeout=(options.open_timeout_s / 2, options.read_timeout_s),
            hwaccel=HWAccel(name, allow_software_fallback=False),
        )
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        raise HardwareDoubtError(f"it does not open ({type(error).__name__})") from None
    try:
        video = PyavVideo(container, options, network=is_network(address), decoded_by=f"hardware ({name})")
        video.prove(DecoderComparison())
    except (av.FFmpegError, OSError, ValueError, RuntimeError, VideoError) as error:
        container.close()
        raise HardwareDoubtError(f"it does not decode ({type(error).__name__})") from None
    except BaseException:
        container.close()
        raise
    return video


def _open_device(address: str, options: VideoOptions) -> PyavVideo:
    path, asked = read_device_address(address)
    try:
        container = av.open(
            path, format="v4l2", options=asked, timeout=(options.open_timeout_s, options.read_timeout_s)
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        busy = isinstance(error, OSError) and error.errno == errno.EBUSY
        raise (
            VideoError(Cause.REFUSED, "another program uses the device")
            if busy
            else VideoError(Cause.NO_VIDEO, f"the device gives no video ({type(error).__name__})")
        ) from None
    return _video(container, options, network=False)


def _video(container: InputContainer, options: VideoOptions, *, network: bool, decoded_by: str = "") -> PyavVideo:
    """Of ``container``, which is closed if it has no video."""
    try:
        return PyavVideo(container, options, network=network, decoded_by=decoded_by)
    except BaseException:
        container.close()
        raise


class PyavPictures:
    """See ``PictureDecoder``."""

    def __init__(self, width_max: int = 0) -> None:
        """No codec before the first picture tells which."""
        self._width_max = width_max
        self._context: Any = None
        self._upright = Upright()
        self._reformatter = VideoReformatter()
        self._shown: VideoFrame | None = None

    def decode(self, data: bytes) -> Decoded:
        codec = picture_codec(data)
        if codec is None:
            raise PictureError("not a whole picture of a kind that is known")
        # Other decoders than JPEG's carry something over: the one for PNG adds a picture to the one before.
        if self._context is None or self._context.name != codec or codec != "mjpeg":
            self._context = av.CodecContext.create(codec, "r")
            self._context.thread_type = "NONE"
        try:
            frames = self._context.decode(av.Packet(data))
            upright = [one for frame in frames for one in self._upright.feed(frame, None)]
            upright += list(self._upright.flush())
        except (av.FFmpegError, ValueError) as error:
            self._context = None
            raise PictureError(type(error).__name__) from None
        if not upright:
            self._context = None
            raise PictureError("no picture in it")
        decoded, self._shown = decoded_of(upright[-1], codec, self._reformatter, self._width_max)
        return decoded


class PyavVideo:
    """See ``Video``."""

    def __init__(
        self, container: InputContainer, options: VideoOptions, *, network: bool, decoded_by: str = ""
    ) -> None:
        """Takes over ``container``. ``decoded_by``: see ``VideoFacts``."""
        if not container.streams.video:
            raise VideoError(Cause.NO_VIDEO, "there is no video in it, only sound or data; check the path")
        self._container, self._options = container, options
        self._stream = container.streams.video[0]
        context = self._stream.codec_context
        if context is None:
            raise VideoError(Cause.UNSUPPORTED_CODEC, "its codec is unknown; choose H.264 or H.265")
        if network and context.name not in _NETWORK_CODECS:
            raise VideoError(Cause.UNSUPPORTED_CODEC, f"sends {context.name}; choose H.264 or H.265")
        # A frame-threaded decoder holds back as many frames as it has threads, and pools cost memory per camera.
        context.thread_type = "NONE"
        context.thread_count = 1
        self._codec = context.name
        rate = self._stream.guessed_rate or self._stream.average_rate
        fps = float(rate) if rate else 0.0
        period_s = 1 / fps if 0.01 <= fps <= 1000 else FALLBACK_PERIOD_S
        self.facts = VideoFacts(self._codec, period_s, int(self._stream.frames or 0), decoded_by)
        self.damage = Damage()
        self.packets = PacketTap()
        self._upright = Upright()
        self._reformatter = VideoReformatter()
        self._demuxing: Iterator[Any] = iter(container.demux(self._stream))
        self._waiting: deque[VideoFrame] = deque()
        self._fruitless = 0
        self._keys = 0
        self._ended = False
        self._shown: VideoFrame | None = None
        self._comparison: DecoderComparison | None = None

    def prove(self, comparison: DecoderComparison) -> None:
        """Decode the first pictures in software too, and compare; they are kept for ``next``.

        Raises: HardwareDoubtError. VideoError: lost meanwhile.
        """
        if self._options.decoding == "auto" and not self._stream.codec_context.is_hwaccel:
            raise HardwareDoubtError("FFmpeg decodes in software all the same")
        self._comparison = comparison
        context = self._stream.codec_context
        beside: Any = av.CodecContext.create(context.name, "r")
        beside.extradata = context.extradata
        beside.thread_type = "NONE"

        def also(packet: Any) -> None:
            for frame in beside.decode(packet):
                comparison.software(frame)

        self.packets.watchers.append(also)
        try:
            while not comparison.proven:
                if self._ended:
                    comparison.end()
                self._advance()
        finally:
            self.packets.watchers.remove(also)
            self._comparison = None

    def next(self) -> Decoded | None:
        while not self._waiting:
            if self._ended:
                return None
            self._advance()
        # Kept until the next call: the planes are views of it.
        self._shown = self._waiting.popleft()
        decoded, self._shown = decoded_of(self._shown, self._codec, self._reformatter, self._options.width_max)
        return replace(decoded, keys=self._keys)

    def close(self) -> None:
        self._waiting.clear()
        self._shown = None
        self._container.close()

    def _advance(self) -> None:
        """Take in one packet."""
        try:
            packet = next(self._demuxing, None)
        except (av.FFmpegError, OSError) as error:
            if self._options.live:
                stalled = isinstance(error, (av.ExitError, TimeoutError))
                raise VideoError(Cause.STALLED, "no data in time" if stalled else "the connection ended") from None
            self.damage.ended_early = True
            packet = None
        if packet is None or not packet.size:
            if self._options.live:
                raise VideoError(Cause.STALLED, "the connection ended") from None
            self._end(packet)
            return
        for watcher in self.packets.watchers:
            watcher(packet)
        self._decode(packet)
        if not self._waiting:
            self._fruitless += 1
            if self._options.live and self._fruitless >= _HOPELESS_PACKETS:
                raise VideoError(Cause.DECODE, f"{self._fruitless} packets in a row gave no picture")
        else:
            self._fruitless = 0

    def _decode(self, packet: Any) -> None:
        if packet.is_corrupt:
            self.damage.corrupt += 1
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            # The decoder goes on with the next packet, as FFmpeg's own programs do.
            self.damage.refused += 1
            return
        for frame in frames:
            self.damage.corrupt += bool(frame.is_corrupt)
            self._keys += bool(frame.key_frame)
            if self._comparison is not None:
                self._comparison.hardware(frame)
            self._waiting.extend(self._upright.feed(frame, self._stream.sample_aspect_ratio))

    def _end(self, packet: Any) -> None:
        self._ended = True
        if packet is not None:
            self._decode(packet)
        else:
            # Demuxing broke off: what the decoder still holds are pictures all the same.
            try:
                frames = self._stream.codec_context.decode(None)
            except (av.FFmpegError, ValueError):
                frames = []
            for frame in frames:
                self._waiting.extend(self._upright.feed(frame, self._stream.sample_aspect_ratio))
        self._waiting.extend(self._upright.flush())


def _options(address: str, options: VideoOptions) -> dict[str, str]:
    """From a closed table: FFmpeg ignores a misspelt option, and some open files."""
    scheme = address.partition("://")[0].lower() if "://" in address else ""
    if not scheme:
        return {"protocol_whitelist": "file"}
    table = {"protocol_whitelist": "rtsp,rtsps,rtp,udp,tcp,tls,http,https,crypto"}
    if options.live:
        table |= _PROBE
    if scheme in ("rtsp", "rtsps"):
        table |= {"rtsp_transport": options.transport, "allowed_media_types": "video", **tls_options(options)}
    return table
