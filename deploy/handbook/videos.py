"""Films the videos of the guides from a separate stack with demo data: `make videos`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.handbook.chromium import chromium, open_page
from deploy.handbook.film import Film
from deploy.handbook.storyboards import STORYBOARDS, Storyboard
from deploy.handbook.working_day import work
from deploy.local import stack, web
from deploy.local.captcha_solver import use_secret_of
from deploy.local.environment import ROOT
from deploy.local.stack import Stack

VIDEOS = web.WEB / "public" / "videos"
_FOLDER = ROOT / ".local" / "videos"


def main() -> int:
    """Films all videos on a temporary stack with fresh demo data, or some on one that is running."""
    parser = argparse.ArgumentParser(prog="python -m deploy.handbook.videos", description="The videos of the guides.")
    parser.add_argument("--of", type=Path, help="the folder of a running stack, on which the day's work has been done")
    parser.add_argument("names", nargs="*", help="of the videos to film; all without")
    options = parser.parse_args()
    wanted = [one for one in STORYBOARDS if one.name in options.names or not options.names]
    if options.of:
        film_all(stack.find(options.of.absolute()), wanted)
        return 0
    web.build()
    stack.reset(_FOLDER)
    try:
        running = stack.start(_FOLDER)
        use_secret_of(running.folder)
        work(running)
        film_all(running, wanted)
    finally:
        stack.reset(_FOLDER)
    return 0


def film_all(running: Stack, wanted: Sequence[Storyboard]) -> None:
    """Films these videos one after another; each finds what those before it have done."""
    use_secret_of(running.folder)
    VIDEOS.mkdir(parents=True, exist_ok=True)
    with chromium(shows_pdf=True) as browser:
        for one in wanted:
            size = (one.shape.width, one.shape.height)
            page = open_page(browser, running, size, one.account, scale=one.shape.scale)
            with TemporaryDirectory() as frames:
                film = Film(page, one.shape, Path(frames))
                one.play(film, running)
                seconds = film.write(one.name, VIDEOS)
            page.context.close()
            kilobytes = (VIDEOS / f"{one.name}.mp4").stat().st_size / 1000
            print(f"{one.name}.mp4: {seconds:.0f} s, {kilobytes:.0f} kB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
