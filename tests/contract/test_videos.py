"""The videos of the guides: each is there with captions and poster, is short and small, and uses the pages' words."""

import re
import struct
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.handbook.storyboards import STORYBOARDS
from deploy.handbook.videos import VIDEOS
from deploy.local.web import WEB
from services.notification import seed

_NAMES = [one.name for one in STORYBOARDS]
_CUE = re.compile(r"(\d\d):(\d\d\.\d{3}) --> (\d\d):(\d\d\.\d{3})\n(.+)")
_LARGEST, _LARGEST_IN_ALL = 1_500_000, 6_000_000
_MOST_CHARACTERS = 34
"""A line of captions as wide as the picture of the console holds no more."""


def seconds_of(video: Path) -> float:
    """The length that the header of an MP4 file says, its box `mvhd` of version 0."""
    content = video.read_bytes()
    scale, length = struct.unpack_from(">II", content, content.index(b"mvhd") + 16)
    return float(length / scale)


def cues_of(name: str) -> list[tuple[float, float, str]]:
    """Begin, end and text of each caption."""
    found = _CUE.findall((VIDEOS / f"{name}.vtt").read_text("utf-8"))
    return [(int(a) * 60 + float(b), int(c) * 60 + float(d), text) for a, b, c, d, text in found]


def test_demo_guides_dialogs_and_files_know_the_same_videos() -> None:
    offered = re.findall(r'^  (\w+): "(\w+)",$', (WEB / "src/console/workbench/videos.ts").read_text("utf-8"), re.M)

    assert offered == [(name, title) for name, title, _ in seed.VIDEOS]
    assert [name for name, _ in offered] == _NAMES
    kinds = (".jpg", ".mp4", ".vtt")
    assert {path.name for path in VIDEOS.iterdir()} == {f"{name}{kind}" for name in _NAMES for kind in kinds}


@pytest.mark.parametrize("name", _NAMES)
def test_a_video_takes_30_to_90_seconds_and_is_small(name: str) -> None:
    video = VIDEOS / f"{name}.mp4"

    assert 30 <= seconds_of(video) <= 90
    assert video.stat().st_size <= _LARGEST


def test_all_videos_together_are_small_enough_for_the_repository() -> None:
    assert sum(path.stat().st_size for path in VIDEOS.iterdir()) <= _LARGEST_IN_ALL


@pytest.mark.parametrize("name", _NAMES)
def test_a_player_finds_the_index_of_a_video_before_its_pictures(name: str) -> None:
    content = (VIDEOS / f"{name}.mp4").read_bytes()

    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("name", _NAMES)
def test_captions_follow_one_another_until_the_video_ends(name: str) -> None:
    cues = cues_of(name)

    assert len(cues) >= 6
    assert all(begin < end for begin, end, _ in cues)
    assert all(before[1] == after[0] for before, after in pairwise(cues))
    assert cues[0][0] < 1
    assert cues[-1][1] == pytest.approx(seconds_of(VIDEOS / f"{name}.mp4"), abs=0.2)
    assert [text for _, _, text in cues if len(text) > _MOST_CHARACTERS] == []


@pytest.mark.parametrize("name", _NAMES)
def test_words_in_quotes_are_those_of_the_pages(name: str) -> None:
    said = "".join(path.read_text("utf-8") for path in (WEB / "src").rglob("*") if path.suffix in {".vue", ".ts"})
    text = next(body for known, _, body in seed.VIDEOS if known == name)
    quoted = {word for _, _, caption in [*cues_of(name), (0, 0, text)] for word in re.findall("“([^”]+)”", caption)}

    assert {word for word in quoted - {"申工社"} if word not in said} == set()
