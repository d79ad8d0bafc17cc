"""Attack by programs on captchas: how many pictures tesseract reads, prepared in several ways."""

import os
import secrets
import subprocess
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from deploy.local.captcha_solver import solve
from deploy.local.client import ApiClient, ApiProblem
from deploy.local.stack import Stack
from gateway import captcha_pictures

MOST_SOLVED = 0.05

Prepare = Callable[[Image.Image], Image.Image]


def as_it_is(picture: Image.Image) -> Image.Image:
    return picture


def enlarged(picture: Image.Image) -> Image.Image:
    return picture.convert("L").resize((picture.width * 4, picture.height * 4), Image.Resampling.LANCZOS)


def in_black(picture: Image.Image) -> Image.Image:
    return enlarged(picture).point(lambda value: 255 if value > 140 else 0)


def without_thin_lines(picture: Image.Image) -> Image.Image:
    closed = enlarged(picture).filter(ImageFilter.MaxFilter(13)).filter(ImageFilter.MinFilter(15))
    return closed.point(lambda value: 255 if value > 150 else 0)


def without_thinner_lines(picture: Image.Image) -> Image.Image:
    closed = enlarged(picture).filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.MinFilter(9))
    return closed.point(lambda value: 255 if value > 140 else 0)


def smoothed(picture: Image.Image) -> Image.Image:
    return enlarged(picture).filter(ImageFilter.MedianFilter(13)).point(lambda value: 255 if value > 150 else 0)


def read_by_tesseract(pictures: Sequence[Image.Image], prepare: Prepare, mode: int, folder: Path) -> list[str]:
    """The text that tesseract reads in each, with the possible characters given; `mode` is its page segmentation."""
    names = [folder / f"{prepare.__name__}{number}.png" for number in range(len(pictures))]
    for picture, name in zip(pictures, names, strict=True):
        prepare(picture).save(name)
    listed = folder / "pictures.txt"
    listed.write_text("\n".join(map(str, names)))
    settings = [f"tessedit_char_whitelist={captcha_pictures.CHARACTERS}", "page_separator=|"]
    command = [
        "tesseract",
        str(listed),
        "stdout",
        "--psm",
        str(mode),
        *(part for one in settings for part in ("-c", one)),
    ]
    one_core = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    output = subprocess.run(command, env=one_core, capture_output=True, text=True, check=True).stdout
    return ["".join(text.split()).upper() for text in output.split("|")][: len(pictures)]


def solved_by_tesseract(count: int, ways: Sequence[tuple[Prepare, int]], folder: Path) -> list[int]:
    """Of so many new pictures, how many each way of reading solves."""
    answers = [
        "".join(secrets.choice(captcha_pictures.CHARACTERS) for _ in range(captcha_pictures.LENGTH))
        for _ in range(count)
    ]
    pictures = [Image.open(BytesIO(captcha_pictures.draw(answer))).convert("RGB") for answer in answers]
    read = [read_by_tesseract(pictures, prepare, mode, folder) for prepare, mode in ways]
    return [sum(text == answer for text, answer in zip(texts, answers, strict=True)) for texts in read]


def test_tesseract_reads_next_to_no_picture(tmp_path: Path) -> None:
    """Few pictures: more than a sixth would be a picture that it reads."""
    assert solved_by_tesseract(24, [(as_it_is, 7)], tmp_path)[0] <= 4


@pytest.mark.long("eighty pictures, read by tesseract in eight ways")
def test_tesseract_reads_fewer_than_one_picture_in_twenty_however_it_is_prepared(tmp_path: Path) -> None:
    """A way that reads four of eighty may do so by chance: one picture in a hundred is usual. It must read fewer than
    one in twenty of four hundred.
    """
    prepared = (as_it_is, enlarged, in_black, without_thinner_lines, without_thin_lines, smoothed)
    ways = [*((prepare, 7) for prepare in prepared), (enlarged, 8), (without_thin_lines, 8)]
    count = 80
    solved = dict(zip(ways, solved_by_tesseract(count, ways, tmp_path), strict=True))
    doubtful = {way: number for way, number in solved.items() if number >= MOST_SOLVED * count}
    more = solved_by_tesseract(4 * count, list(doubtful), tmp_path)
    in_all = {way: number + doubtful[way] for way, number in zip(doubtful, more, strict=True)}
    assert max(in_all.values(), default=0) < MOST_SOLVED * 5 * count, in_all


def test_there_is_no_voice_to_match_and_no_captcha_passes_without_its_work(stack: Stack) -> None:
    browser = ApiClient(stack.gateway_url)
    with pytest.raises(ApiProblem) as no_voice:
        browser.post("captchas", {"kind": "audio"})
    assert no_voice.value.status == 422

    for kind in ("image", "work"):
        made = browser.post("captchas", {"kind": kind})
        form = {"account_name": "jianlang", "password": "x", "captcha_id": made["captcha_id"]}
        answer = solve(made["captcha_id"])
        with pytest.raises(ApiProblem) as no_work:
            browser.post("sessions", {**form, "captcha_answer": answer, "proof_of_work": "0" * 64})
        assert no_work.value.code == "captcha_work_wrong"
