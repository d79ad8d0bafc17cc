"""Announcements and guides on a real database: maintained by the city, shown to their audience."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from services.contracts.operations.notification import (
    AnnouncementAnswer,
    CreateAnnouncementRequest,
    CreateGuideRequest,
    GetAnnouncementRequest,
    GetAttachmentRequest,
    GuideAnswer,
    GuideRequest,
    ListAnnouncementsRequest,
    ListGuidesRequest,
    NewAttachment,
    UpdateAnnouncementRequest,
    UpdateGuideRequest,
    WithdrawAnnouncementRequest,
)
from services.kit.problems import Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.notification import announcements, guides, seed
from services.notification.models import Attachment
from tests.documents import errors_in, read

Begin = Callable[[], Any]
CITY = Caller(account_id=str(uuid4()), roles=frozenset({"administrator"}), union_id=str(uuid4()))
CLERK = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(uuid4()))
ANYBODY = Caller()
FILE = {"file_name": "说明.txt", "content_type": "text/plain", "content": "5LiK5rW3"}


@pytest.fixture
def begin(notification_engine: Engine) -> Begin:
    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(notification_engine, expire_on_commit=False) as session, session.begin():
            yield session

    return transaction


def publish(begin: Begin, **changes: Any) -> AnnouncementAnswer:
    given = {"title": "停机通知", "body": "周六维护", "places": ["sign_in"], "attachments": [FILE], **changes}
    with begin() as session:
        return announcements.create_announcement(Work(session, CITY), read(CreateAnnouncementRequest, given))


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def errors_of(begin: Begin, file: dict[str, str]) -> list[str]:
    """The codes of the problems of an announcement with this file."""
    try:
        publish(begin, attachments=[file])
    except Invalid as problem:
        return [one.code for one in problem.fields]
    return []


def shown(begin: Begin, caller: Caller, **asked: Any) -> list[str]:
    with begin() as session:
        items = announcements.list_announcements(Work(session, caller), ListAnnouncementsRequest(**asked)).items
    return [one.title for one in items]


def download(begin: Begin, caller: Caller, owner: AnnouncementAnswer | GuideAnswer) -> str:
    with begin() as session:
        file = announcements.get_attachment(
            Work(session, caller), GetAttachmentRequest(attachment_id=owner.attachments[0].attachment_id)
        )
    return file.content


def test_announcements_are_shown_until_they_are_withdrawn(begin: Begin) -> None:
    made = publish(begin)
    assert shown(begin, ANYBODY, place="sign_in") == ["停机通知"]
    assert shown(begin, CLERK, place="workbench") == []
    assert download(begin, ANYBODY, made) == "5LiK5rW3"
    with begin() as session:
        announcements.withdraw_announcement(
            Work(session, CITY), WithdrawAnnouncementRequest(announcement_id=made.announcement_id)
        )
    assert shown(begin, CLERK) == []
    with pytest.raises(NotFound):
        download(begin, CLERK, made)
    with pytest.raises(NotFound), begin() as session:
        announcements.update_announcement(
            Work(session, CITY), UpdateAnnouncementRequest(announcement_id=made.announcement_id, title="新")
        )


@pytest.mark.parametrize(
    "outsider", [ANYBODY, Caller(roles=frozenset({"member"})), Caller(account_id="a", roles=frozenset({"limited"}))]
)
def test_what_is_not_for_the_sign_in_page_is_for_accounts_alone(begin: Begin, outsider: Caller) -> None:
    inner = publish(begin, title="内部通知", places=["workbench"])
    assert shown(begin, CLERK) == ["内部通知"]
    assert download(begin, CLERK, inner) == "5LiK5rW3"
    assert shown(begin, outsider) == shown(begin, outsider, place="workbench") == []
    with pytest.raises(NotFound):
        download(begin, outsider, inner)
    with pytest.raises(NotFound), begin() as session:
        announcements.get_announcement(
            Work(session, outsider), GetAnnouncementRequest(announcement_id=inner.announcement_id)
        )


def test_an_announcement_is_edited_with_its_files(begin: Begin) -> None:
    made = publish(begin)
    sent = {
        "announcement_id": str(made.announcement_id),
        "title": "停机通知（更正）",
        "removed_attachment_ids": [str(made.attachments[0].attachment_id)],
        "attachments": [{**FILE, "file_name": "新说明.txt"}],
    }
    with begin() as session:
        edited = announcements.update_announcement(Work(session, CITY), read(UpdateAnnouncementRequest, sent))
    assert (edited.title, edited.body, edited.places) == ("停机通知（更正）", "周六维护", ["sign_in"])
    assert [file.file_name for file in edited.attachments] == ["新说明.txt"]
    assert edited.edited_at is not None


def test_files_of_another_announcement_are_not_taken_away_and_no_more_than_five_kept(begin: Begin) -> None:
    other, made = publish(begin), publish(begin, attachments=[FILE] * 5)
    given = UpdateAnnouncementRequest(
        announcement_id=made.announcement_id, removed_attachment_ids=[other.attachments[0].attachment_id]
    )
    with begin() as session:
        announcements.update_announcement(Work(session, CITY), given)
    assert download(begin, ANYBODY, other) == "5LiK5rW3"
    with pytest.raises(Invalid), begin() as session:
        announcements.update_announcement(Work(session, CITY), replace(given, attachments=[NewAttachment(**FILE)]))


def test_a_file_that_is_not_what_its_name_says_is_refused(begin: Begin) -> None:
    with pytest.raises(Invalid) as refusal:
        publish(begin, attachments=[FILE, {**FILE, "file_name": "说明.pdf", "content_type": "application/pdf"}])
    assert [(one.field, one.code) for one in refusal.value.fields] == [("attachments.1.file_name", "file_kind")]
    assert shown(begin, ANYBODY) == []


def test_a_video_is_kept_with_its_captions_and_given_in_parts(begin: Begin) -> None:
    video = b"\0\0\0\x20ftypisom" + bytes(range(256)) * 40_000
    captions = {"file_name": "讲解.vtt", "content_type": "text/vtt", "content": encoded(b"WEBVTT\n")}
    made = publish(begin, attachments=[{**FILE, "file_name": "讲解.mp4", "content": encoded(video)}, captions])
    attachment_id = made.attachments[0].attachment_id

    def part(**asked: int) -> tuple[bytes, int, int, str]:
        with begin() as session:
            request = GetAttachmentRequest(attachment_id=attachment_id, **asked)
            file = announcements.get_attachment(Work(session, ANYBODY), request)
        return base64.b64decode(file.content), file.start, file.size, file.content_type

    size = len(video)
    assert part() == (video, 0, size, "video/mp4")
    assert part(start=5_000_000, most=1000) == (video[5_000_000:5_001_000], 5_000_000, size, "video/mp4")
    assert part(start=size - 3, most=1000) == (video[-3:], size - 3, size, "video/mp4")
    assert part(start=-3, most=3) == (video[-3:], size - 3, size, "video/mp4")
    assert part(start=-size - 9, most=3) == (video[:3], 0, size, "video/mp4")
    assert part(start=2**40, most=2**40) == (b"", 2**40, size, "video/mp4")


@pytest.mark.parametrize(
    ("file_name", "begins", "megabytes"), [("讲解.mp4", b"\0\0\0\x20ftyp", 20), ("手册.pdf", b"%PDF-", 10)]
)
def test_a_video_may_be_larger_than_other_files(begin: Begin, file_name: str, begins: bytes, megabytes: int) -> None:
    largest = begins.ljust(megabytes << 20, b"\1")
    file = {"file_name": file_name, "content_type": "", "content": encoded(largest)}
    file["content_type"] = "application/octet-stream"
    assert publish(begin, attachments=[file]).attachments[0].size == megabytes << 20

    assert errors_of(begin, {**file, "content": encoded(largest + b"\1")})


def test_guides_stand_in_the_order_that_the_city_gives_them(begin: Begin) -> None:
    def make(title: str, **more: Any) -> GuideAnswer:
        given = read(CreateGuideRequest, {"title": title, "body": "步骤", "attachments": [FILE], **more})
        with begin() as session:
            return guides.create_guide(Work(session, CITY), given)

    first, second = make("办卡流程"), make("视频", video_url="https://zzgl.shzgh.org/video/1.mp4")
    with begin() as session:
        guides.update_guide(
            Work(session, CITY), UpdateGuideRequest(guide_id=first.guide_id, position=9, title="基层办卡流程")
        )
        listed = guides.list_guides(Work(session, ANYBODY), ListGuidesRequest()).items
    assert [(one.title, one.video_url) for one in listed] == [
        ("视频", "https://zzgl.shzgh.org/video/1.mp4"), ("基层办卡流程", None),
    ]  # fmt: skip
    assert download(begin, ANYBODY, second) == "5LiK5rW3"
    with begin() as session:
        guides.withdraw_guide(Work(session, CITY), GuideRequest(guide_id=second.guide_id))
        assert guides.list_guides(Work(session, ANYBODY), ListGuidesRequest()).total == 1
    with pytest.raises(NotFound):
        download(begin, ANYBODY, second)
    with pytest.raises(NotFound), begin() as session:
        guides.withdraw_guide(Work(session, CITY), GuideRequest(guide_id=second.guide_id))


def test_a_guide_may_have_a_video_that_comes_with_the_pages() -> None:
    asked = {"title": "系统校验", "body": "步骤", "video_url": "/videos/check.mp4"}
    assert read(CreateGuideRequest, asked).video_url == "/videos/check.mp4"


@pytest.mark.parametrize(
    "url",
    [
        *("http://zzgl.shzgh.org/1.mp4", "javascript:alert(1)", "video.mp4", "//zzgl.shzgh.org/videos/1.mp4"),
        *("/videos/../api/v1/me", "/videos/a.html", "/videos/a b.mp4", "/api/v1/attachments/1"),
    ],
)
def test_a_guides_video_is_at_an_address_that_is_safe_to_open(url: str) -> None:
    errors = errors_in(CreateGuideRequest, {"title": "视频", "body": "步骤", "video_url": url})
    assert errors == {"video_url": ["请填写 https:// 开头的链接"]}


def test_only_the_city_union_publishes(begin: Begin) -> None:
    district = replace(CITY, superior_union_id=str(uuid4()))
    acts: tuple[tuple[Any, Any], ...] = (
        (announcements.create_announcement, CreateAnnouncementRequest(title="新", body="新", places=["sign_in"])),
        (announcements.update_announcement, UpdateAnnouncementRequest(announcement_id=uuid4())),
        (announcements.withdraw_announcement, WithdrawAnnouncementRequest(announcement_id=uuid4())),
        (guides.create_guide, CreateGuideRequest(title="新", body="新")),
        (guides.update_guide, UpdateGuideRequest(guide_id=uuid4())),
        (guides.withdraw_guide, GuideRequest(guide_id=uuid4())),
    )
    for act, given in acts:
        with begin() as session, pytest.raises(Forbidden):
            act(Work(session, district), given)


def test_seeding_twice_makes_everything_once(begin: Begin) -> None:
    for _ in range(2):
        with begin() as session:
            seed.seed(session)
    with begin() as session:
        assert announcements.list_announcements(Work(session, CLERK), ListAnnouncementsRequest()).total == len(
            seed.ANNOUNCEMENTS
        )
        listed = guides.list_guides(Work(session, ANYBODY), ListGuidesRequest()).items
    assert [guide.title for guide in listed] == [
        *(title for title, _ in seed.GUIDES),
        seed.HANDBOOK,
        *(title for _, title, _ in seed.VIDEOS),
    ]
    files = [file.file_name for guide in listed for file in guide.attachments]
    assert files == [f"{seed.HANDBOOK}.pdf"]


def test_the_handbook_is_offered_to_all_as_pdf(begin: Begin) -> None:
    with begin() as session:
        seed.seed(session)
    with begin() as session:
        (guide,) = [
            one
            for one in guides.list_guides(Work(session, ANYBODY), ListGuidesRequest()).items
            if one.title == seed.HANDBOOK
        ]
        ids = {file.file_name: file.attachment_id for file in guide.attachments}
        files = {
            name: announcements.get_attachment(Work(session, ANYBODY), GetAttachmentRequest(attachment_id=file_id))
            for name, file_id in ids.items()
        }

    begins = {name: base64.b64decode(file.content)[:9] for name, file in files.items()}
    assert begins == {f"{seed.HANDBOOK}.pdf": b"%PDF-1.4\n"}


def test_files_that_former_demo_guides_had_are_taken_away(begin: Begin) -> None:
    with begin() as session:
        seed.seed(session)
        former = {"file_name": "个人办卡流程.txt", "content_type": "text/plain", "content": b"steps"}
        guide_id = guides.list_guides(Work(session, ANYBODY), ListGuidesRequest()).items[1].guide_id
        attachment_id = uuid5(NAMESPACE_URL, "demo:个人办卡流程.txt")
        session.add(Attachment(attachment_id=attachment_id, guide_id=guide_id, **former))
    with begin() as session:
        seed.seed(session)
        listed = guides.list_guides(Work(session, ANYBODY), ListGuidesRequest()).items
    assert listed[1].attachments == []
