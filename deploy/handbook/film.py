"""Films what a person does on a page: Chromium's screencast, a visible pointer, captions, and times for reading.

The time of a film is not that of the clock: each movement, key and caption takes a time of its own, and waiting for an
answer takes none. So a film is as long on a busy computer as on an idle one.
"""

import base64
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

_STEPS, _STEP_SECONDS = 16, 0.04
_KEY_SECONDS = 0.12
_SLICES, _SLICE_SECONDS = 5, 0.09
_SECONDS_BEFORE_CLICK = 0.2
_SECONDS_A_CHARACTER, _SECONDS_A_CAPTION = 0.16, 1.0
_LAST_SECONDS = 1.5
_LARGEST, _QUALITY = 2000, 92
_FRAMES_A_SECOND = 12
_BAND_COLOUR = "0x1d2530"
_POSTER_WIDTH, _POSTER_AT = 640, 0.4
_H264 = (
    *("-an", "-c:v", "libx264", "-profile:v", "main", "-preset", "veryslow", "-tune", "animation", "-crf", "28"),
    *("-g", str(10 * _FRAMES_A_SECOND), "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"),
    *("-movflags", "+faststart"),
)
"""Plays in every browser of ours and in WeChat; a key frame every ten seconds, the index at the beginning."""

_POINTER = """(isTouch) => {
    const draw = () => {
        if (isTouch) document.documentElement.style.scrollbarWidth = "none";
        const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        const shape = document.createElementNS("http://www.w3.org/2000/svg", isTouch ? "circle" : "path");
        const form = isTouch ? { r: 15, "fill-opacity": 0.45 } : { d: "M0 0V20L5.5 15 9 23 13 21.2 9.6 13.6 17 13.2Z" };
        const look = { ...form, fill: "#1d2530", stroke: "#fff", "stroke-width": 1.6 };
        for (const [name, value] of Object.entries(look)) shape.setAttribute(name, value);
        picture.append(shape);
        const place = { position: "fixed", zIndex: 2147483647, left: 0, top: 0, pointerEvents: "none" };
        Object.assign(picture.style, { ...place, overflow: "visible", width: "1px", height: "1px", display: "none" });
        document.documentElement.append(picture);
        addEventListener("mousemove", ({ clientX, clientY }) => {
            picture.style.display = "block";
            picture.style.transform = `translate(${clientX}px, ${clientY}px)`;
        }, true);
        addEventListener("mousedown", () => shape.setAttribute("fill", "#c8102e"), true);
        addEventListener("mouseup", () => setTimeout(() => shape.setAttribute("fill", "#1d2530"), 250), true);
    };
    document.readyState === "loading" ? addEventListener("DOMContentLoaded", draw) : draw();
}"""
"""Draws an arrow, or a fingertip, that follows the mouse and turns red while it is pressed."""


@dataclass(frozen=True)
class Format:
    """The page's size in CSS pixels, its scale, and the height of the dark band below it, which has the captions."""

    width: int
    height: int
    scale: float
    band: int


DESK = Format(1280, 656, 1, 64)
PHONE = Format(360, 640, 1.5, 96)


class Film:
    """A film that is being taken of a page, from now on; `write` ends it."""

    def __init__(self, page: Page, shape: Format, folder: Path) -> None:
        self.page = page
        self._shape = shape
        self._folder = folder
        self._seconds = 0.0
        self._pointer = (shape.width * 0.6, shape.height * 0.6)
        self._frames: list[tuple[float, Path]] = []
        self._captions: list[tuple[float, str]] = []
        page.context.add_init_script(f"({_POINTER})({str(shape is PHONE).lower()})")
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._keep)

    def begin(self, path: str, ready: Locator) -> None:
        """Opens the first page, and begins once it is there."""
        self.page.goto(path)
        ready.wait_for()
        self.page.mouse.move(*self._pointer)
        size = {"maxWidth": _LARGEST, "maxHeight": _LARGEST}
        self._session.send("Page.startScreencast", {"format": "jpeg", "quality": _QUALITY, **size})

    def say(self, caption: str) -> None:
        """Shows a caption from now on, and leaves time to read it."""
        self._settle()
        self._captions.append((self._seconds, caption))
        self.hold(_SECONDS_A_CAPTION + _SECONDS_A_CHARACTER * len(caption))

    def hold(self, seconds: float) -> None:
        """Leaves time to look at the page."""
        self._settle()
        self._seconds += seconds

    def point(self, at: Locator) -> None:
        """Moves the pointer to an element."""
        at.scroll_into_view_if_needed()
        box = at.bounding_box()
        if box is None:
            raise RuntimeError(f"{at} is not shown.")
        start, end = self._pointer, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        for step in range(1, _STEPS + 1):
            way = step / _STEPS
            eased = way * way * (3 - 2 * way)
            self.page.mouse.move(*(a + (b - a) * eased for a, b in zip(start, end, strict=True)))
            self._pass(_STEP_SECONDS)
        self._pointer = end

    def click(self, at: Locator, then: Callable[[], None] | None = None) -> None:
        """Moves the pointer to an element and clicks it; `then` is done in place of the click."""
        self.point(at)
        self.hold(_SECONDS_BEFORE_CLICK)
        (then or at.click)()
        self._settle()

    def type(self, at: Locator, text: str) -> None:
        """Clicks a field and types into it."""
        self.click(at)
        for character in text:
            self.page.keyboard.insert_text(character)
            self._pass(_KEY_SECONDS)

    def write(self, name: str, into: Path) -> float:
        """Ends the film, and writes its video, captions and poster; returns its length in seconds."""
        self.hold(_LAST_SECONDS)
        self._session.send("Page.stopScreencast")
        video = into / f"{name}.mp4"
        self._encode(video)
        (into / f"{name}.vtt").write_text(self._web_vtt(), encoding="utf-8")
        poster = ("-ss", f"{self._seconds * _POSTER_AT:.1f}", "-i", video, "-frames:v", "1")
        scaled = f"scale={_POSTER_WIDTH}:-2" if self._shape.width > self._shape.height else "scale=-2:ih"
        _ffmpeg(*poster, "-vf", scaled, "-q:v", "5", into / f"{name}.jpg")
        return self._seconds

    def _keep(self, event: dict[str, Any]) -> None:
        self._session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        path = self._folder / f"{len(self._frames):05}.jpg"
        path.write_bytes(base64.b64decode(event["data"]))
        self._frames.append((self._seconds, path))

    def _settle(self) -> None:
        """Lets the page come to rest, while its frames are taken."""
        for _ in range(_SLICES):
            self._pass(_SLICE_SECONDS)

    def _pass(self, seconds: float) -> None:
        self.page.wait_for_timeout(seconds * 1000)
        self._seconds += seconds

    def _encode(self, video: Path) -> None:
        last_of_each_moment = [*dict(self._frames).items(), (self._seconds, self._frames[-1][1])]
        lines = [
            f"file {path.name}\nduration {end - begin:.3f}\n"
            for (begin, path), (end, _) in pairwise(last_of_each_moment)
        ]
        frames = self._folder / "frames.txt"
        frames.write_text("".join(lines) + f"file {self._frames[-1][1].name}\n")
        width, height = (round(side * self._shape.scale) for side in (self._shape.width, self._shape.height))
        looks = (
            f"scale={width}:{height}:flags=lanczos,pad={width}:{height + self._shape.band}:0:0:{_BAND_COLOUR},"
            f"fps={_FRAMES_A_SECOND},format=yuv420p"
        )
        _ffmpeg("-f", "concat", "-i", frames, "-t", f"{self._seconds:.3f}", "-vf", looks, *_H264, video)

    def _web_vtt(self) -> str:
        """The captions; each is shown until the next one."""
        shown = [*self._captions, (self._seconds, "")]
        cues = [f"{_time(begin)} --> {_time(end)}\n{caption}\n" for (begin, caption), (end, _) in pairwise(shown)]
        return "\n".join(["WEBVTT\n", *cues])


def _time(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02}:{rest:06.3f}"


def _ffmpeg(*arguments: str | Path) -> None:
    """Runs Debian's ffmpeg; raises RuntimeError without it."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise RuntimeError("ffmpeg is not installed: apt-get install ffmpeg")
    subprocess.run([program, "-y", "-loglevel", "error", *map(str, arguments)], check=True)
