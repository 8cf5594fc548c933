"""The automatic deployments of this hub: kept on disk, and put in force together with the device's own manifest."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from vigie.log import get_logger
from vigie_edgehub.deployments import MAX_CONFIGURATIONS, Configuration, Effective, effective, target_of
from vigie_edgehub.manifest import modules_content
from vigie_edgehub.ports import HubRefusalError, JsonObject, ManifestRefusedError, RefusalCode
from vigie_edgehub.state.twins import etag_text
from vigie_edgehub.store.documents import DocumentStore

log = get_logger("hub")


class DeploymentDesk:
    """``deploy`` puts a manifest in force or raises ManifestRefusedError; conditions look at ``device_twin``."""

    def __init__(
        self, documents: DocumentStore, deploy: Callable[[JsonObject], None], device_twin: Callable[[], JsonObject]
    ) -> None:
        self._documents = documents
        self._deploy = deploy
        self._device_twin = device_twin
        self._known = {one.id: one for one in documents.load_configurations()}
        self._base: JsonObject = {}
        self._seen = Effective({}, (), ())

    @property
    def in_force(self) -> Effective:
        """What counts at the moment."""
        return self._seen

    def all(self) -> list[Configuration]:
        return sorted(self._known.values(), key=lambda one: one.id)

    def get(self, name: str) -> Configuration:
        """Raises: HubRefusalError: unknown."""
        try:
            return self._known[name]
        except KeyError:
            raise HubRefusalError(
                f"configuration '{name}' is not in this hub", RefusalCode.ConfigurationNotFound
            ) from None

    def take_base(self, base: JsonObject) -> None:
        """Begin with the manifest that is in force; what was configured before the last stop is laid on it."""
        self._base = base
        try:
            self.look_again()
        except HubRefusalError as refusal:
            log.error("configurations_not_applied", reason=refusal.message)  # noqa: TRY400  the reason says it all

    def apply(self, base: JsonObject) -> None:
        """Take another manifest for this device. Raises: ManifestRefusedError: nothing was changed."""
        self._put_in_force(base, self._known)
        self._base = base

    def put(self, wanted: Configuration, now: float, if_match: str | None) -> tuple[Configuration, bool]:
        """Create or change one. Returns: it as it is kept, and whether it is new.

        Raises: HubRefusalError, ManifestRefusedError: nothing was changed.
        """
        former = self._known.get(wanted.id)
        self._check_etag(wanted.id, former, if_match)
        if former is None and len(self._known) >= MAX_CONFIGURATIONS:
            raise HubRefusalError(f"an IoT Hub holds at most {MAX_CONFIGURATIONS} configurations")
        modules_content(wanted.content)
        target_of(wanted.target_condition)
        if former is not None and former.content != wanted.content:
            raise HubRefusalError(f"the content of configuration '{wanted.id}' cannot change; create another one")
        kept = msgspec.structs.replace(
            wanted,
            created_at=now if former is None else former.created_at,
            updated_at=now,
            etag=1 if former is None else former.etag + 1,
        )
        self._change(self._known | {kept.id: kept})
        return kept, former is None

    def delete(self, name: str, if_match: str | None) -> None:
        """Raises: HubRefusalError: unknown, or of another etag."""
        self._check_etag(name, self.get(name), if_match)
        self._change({key: one for key, one in self._known.items() if key != name})

    def look_again(self) -> None:
        """The device's twin changed: other configurations may target it now."""
        if self._known:
            self._put_in_force(self._base, self._known)

    def _change(self, known: dict[str, Configuration]) -> None:
        self._put_in_force(self._base, known)
        self._known = known
        self._documents.save_configurations(list(known.values()))

    def _put_in_force(self, base: JsonObject, known: dict[str, Configuration]) -> None:
        seen = effective(base, known.values(), self._device_twin())
        if seen.content != self._seen.content or base is not self._base:
            try:
                self._deploy(seen.content)
            except ManifestRefusedError as refusal:
                among = f" (with configurations {', '.join(seen.applied)})" if seen.applied else ""
                raise ManifestRefusedError(f"{refusal.message}{among}") from refusal
        self._seen = seen

    @staticmethod
    def _check_etag(name: str, former: Configuration | None, if_match: str | None) -> None:
        if if_match is not None and (former is None or if_match != etag_text(former.etag)):
            raise HubRefusalError(
                f"configuration '{name}' does not have etag '{if_match}'; read it again", RefusalCode.PreconditionFailed
            )
