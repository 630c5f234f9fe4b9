"""How many images of a group and of an owner may wait."""

from __future__ import annotations

import uuid
from uuid import UUID

import pytest

from app.access import backlogs as module
from app.access.backlogs import Backlogs
from app.domain.representation import Image, ImageStatus
from app.errors import GroupFullError, OwnerFullError, StorageUnavailableError, TransientError
from app.images.store import ImageStore
from testkit.in_memory.fakes import MemoryBucket
from testkit.timing.clocks import Clock

Fullness = type[TransientError] | None


class Known:
    """Backlogs with a clock, and the images that are finished."""

    def __init__(self, *, max_of_group: int = 3, max_of_owner: int = 5) -> None:
        self.clock = Clock()
        self.finished: set[UUID] = set()
        self.asked: list[UUID] = []
        self.forgotten: list[int] = []
        self.backlogs = Backlogs(
            max_of_group=max_of_group,
            max_of_owner=max_of_owner,
            is_finished=self.is_finished,
            forgot=self.forgotten.append,
            clock=self.clock,
        )

    def is_finished(self, image_id: UUID) -> bool:
        self.asked.append(image_id)
        return image_id in self.finished

    def refusal(self, image: Image) -> Fullness:
        try:
            self.backlogs.check_room(image)
        except TransientError as exc:
            return type(exc)
        return None

    def accept(self, count: int = 1, **fields: str) -> list[Image]:
        images = [image_of(**fields) for _ in range(count)]
        for image in images:
            assert self.refusal(image) is None
            self.backlogs.add(image)
        return images

    def finish(self, *images: Image) -> None:
        self.finished.update(image.image_id for image in images)
        self.clock.advance(1)


def image_of(**fields: str) -> Image:
    return Image(image_id=uuid.uuid4(), status=ImageStatus.QUEUED, **fields)


@pytest.fixture
def known() -> Known:
    return Known()


def test_a_group_is_refused_at_its_limit_with_the_limit_and_a_time(known: Known) -> None:
    known.accept(3, group="book")

    with pytest.raises(GroupFullError, match="3 images of this group wait") as refusal:
        known.backlogs.check_room(image_of(group="book"))

    assert refusal.value.facts == {"limit": 3, "retry_after_s": 5}


def test_an_owner_is_refused_at_its_limit_whatever_the_groups(known: Known) -> None:
    known.accept(2, group="book", owner="ana")
    known.accept(3, owner="ana")

    assert known.refusal(image_of(owner="ana")) is OwnerFullError
    assert known.refusal(image_of(group="new", owner="ana")) is OwnerFullError


def test_nobody_is_refused_for_the_backlog_of_another(known: Known) -> None:
    known.accept(3, group="book", owner="ana")
    known.accept(2, owner="ana")

    assert known.refusal(image_of(group="book", owner="bia")) is None
    assert known.refusal(image_of(group="other")) is None
    assert known.refusal(image_of()) is None


def test_images_without_group_and_owner_have_no_limit(known: Known) -> None:
    known.accept(50)

    assert not known.asked


def test_finished_images_make_room(known: Known) -> None:
    first, second, _ = known.accept(3, group="book")
    known.finish(first, second)

    known.accept(2, group="book")

    assert known.refusal(image_of(group="book")) is GroupFullError


def test_expired_images_make_room() -> None:
    store = ImageStore(MemoryBucket("input"), MemoryBucket("output"))
    clock = Clock()
    backlogs = Backlogs(
        max_of_group=0,
        max_of_owner=8,
        is_finished=store.is_finished,
        forgot=lambda _: None,
        clock=clock,
    )
    for _ in range(8):
        image = image_of(owner="ana")
        store.put_original(image, b"page")
        backlogs.add(image)
    for key in list(store.originals.objects)[:7]:  # type: ignore[attr-defined]
        store.originals.delete(key)
    clock.advance(1)

    backlogs.check_room(image_of(owner="ana"))

    assert backlogs._count == 1


def test_a_full_line_is_searched_in_few_requests_at_most_once_a_second() -> None:
    known = Known(max_of_group=1000)
    images = known.accept(1000, group="book")
    known.finish(*images[:700])

    known.accept(700, group="book")
    for _ in range(20):
        assert known.refusal(image_of(group="book")) is GroupFullError

    assert 0 < len(known.asked) <= 11


def test_two_threads_that_look_at_the_same_time_count_each_image_once(known: Known) -> None:
    known.finish(*known.accept(3, group="book"))
    is_finished = known.backlogs._is_finished

    def look_again(image_id: UUID) -> bool:
        known.backlogs._is_finished = is_finished
        known.clock.advance(1)
        known.backlogs.check_room(image_of(group="book"))
        return is_finished(image_id)

    known.backlogs._is_finished = look_again
    known.backlogs.check_room(image_of(group="book"))

    assert known.backlogs._count == 0
    known.accept(3, group="book")


def test_a_repetition_of_an_upload_that_waits_has_room(known: Known) -> None:
    first, *_ = known.accept(3, group="book")

    known.backlogs.check_room(first)
    known.backlogs.add(first)

    known.finish(first)
    known.accept(1, group="book")


def test_zero_is_no_limit() -> None:
    known = Known(max_of_group=0, max_of_owner=0)

    known.accept(50, group="book", owner="ana")


def test_during_an_s3_outage_a_full_line_is_refused_as_unavailable_storage(known: Known) -> None:
    known.accept(3, group="book")
    known.finish()

    def fail(_: UUID) -> bool:
        raise StorageUnavailableError("S3 is away")

    known.backlogs._is_finished = fail

    assert known.refusal(image_of(group="book")) is StorageUnavailableError


def test_memory_is_bounded_and_the_oldest_line_is_forgotten_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_MAX_IMAGES", 2)
    known = Known(max_of_group=3, max_of_owner=0)
    known.accept(3, group="first")
    known.accept(3, group="second")

    assert known.refusal(image_of(group="second")) is GroupFullError
    assert known.forgotten == [3]
    known.accept(3, group="first")


def test_a_full_group_of_a_full_token_is_refused_however_high_the_limits_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each image is in two lines, and must not push out one of its own."""
    monkeypatch.setattr(module, "_MAX_IMAGES", 0)
    known = Known(max_of_group=40, max_of_owner=40)

    known.accept(40, group="book", owner="ana")

    assert known.refusal(image_of(group="book", owner="ana")) is GroupFullError
    assert known.forgotten == []
