"""What an update leaves on disk decides what serves after the next start."""

from __future__ import annotations

from vigie_inference.update.record import (
    STARTS_MAX,
    Probation,
    Record,
    StoredBundle,
    committed,
    ending_of,
    folders_in_use,
    on_the_device,
    passed,
    refused,
    rolled_back,
    started,
    without_oldest,
)


def held(version: str) -> StoredBundle:
    return StoredBundle("parts", version, version * 64, f"key-{version}", f"folder-{version}", f"digest-{version}")


ONE, TWO = held("1"), held("2")
WATCHED = Probation(600.0, 3)


def test_a_commit_keeps_the_former_release_and_nothing_older() -> None:
    record = committed(committed(Record(), ONE, None), TWO, WATCHED)
    assert (record.serving, record.former, record.probation) == (TWO, ONE, WATCHED)
    record = committed(record, held("3"), None)
    assert folders_in_use(record) == {"folder-3", "folder-2"}


def test_as_many_former_releases_stay_as_are_to_be_kept_and_any_of_them_can_be_gone_back_to() -> None:
    record = Record()
    for version in "12345":
        record = committed(record, held(version), None, keep=3)
    assert folders_in_use(record) == {"folder-5", "folder-4", "folder-3", "folder-2"}
    assert on_the_device(record, "parts", "2" * 64) == held("2")
    assert on_the_device(record, "parts", "1" * 64) is None
    back = committed(record, held("2"), None, keep=3)
    assert (back.serving, back.former, back.kept) == (held("2"), held("5"), (held("4"), held("3")))
    fewer = without_oldest(record)
    assert fewer is not None
    assert folders_in_use(fewer) == {"folder-5", "folder-4", "folder-3"}
    assert without_oldest(committed(Record(), ONE, None)) is None


def test_one_roll_back_after_the_other_goes_further_back() -> None:
    record = Record()
    for version in "123":
        record = committed(record, held(version), WATCHED, keep=3)
    record = rolled_back(record, "fails")
    assert (record.serving, record.former) == (TWO, ONE)
    record = rolled_back(record, "fails too")
    assert (record.serving, record.former, record.kept) == (ONE, None, ())


def test_committing_what_serves_already_does_not_lose_the_former() -> None:
    record = committed(committed(committed(Record(), ONE, None), TWO, WATCHED), TWO, None)
    assert (record.serving, record.former) == (TWO, ONE)


def test_what_is_rolled_back_is_not_tried_again_and_the_former_serves() -> None:
    record = rolled_back(committed(committed(Record(), ONE, None), TWO, WATCHED), "frames went unanswered")
    assert (record.serving, record.former, record.probation) == (ONE, None, None)
    ended = ending_of(record, TWO.key)
    assert ended is not None
    assert (ended.phase, ended.reason) == ("rolled_back", "frames went unanswered")
    assert ending_of(record, ONE.key) is None


def test_a_first_release_that_is_rolled_back_leaves_the_model_of_the_configuration() -> None:
    assert rolled_back(committed(Record(), ONE, WATCHED), "slow").serving is None
    assert rolled_back(Record(), "nothing serves") == Record()


def test_a_module_that_does_not_live_through_its_starts_on_probation_gets_the_former_back() -> None:
    record = committed(committed(Record(), ONE, None), TWO, WATCHED)
    for _ in range(STARTS_MAX):
        record = started(record)
        assert record.serving == TWO
    record = started(record)
    assert record.serving == ONE
    assert f"started {STARTS_MAX} times" in (ending_of(record, TWO.key) or ONE).reason  # type: ignore[union-attr]


def test_starts_after_the_probation_count_for_nothing() -> None:
    record = passed(committed(Record(), ONE, WATCHED))
    for _ in range(STARTS_MAX + 2):
        record = started(record)
    assert record.serving == ONE


def test_refusals_are_remembered_by_request_and_bounded() -> None:
    record = Record()
    for number in range(40):
        record = refused(record, f"key-{number}", "1", "too slow")
    record = refused(record, "key-39", "1", "wrong hash")
    assert len(record.ended) == 16
    assert (ending_of(record, "key-39") or ONE).reason == "wrong hash"  # type: ignore[union-attr]
    assert ending_of(record, "key-0") is None
