"""Attachments must have the kind that their file name says."""

import io
import zipfile

import pytest

from services.notification.file_kinds import content_type_of


def packed(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("file_name", "content", "content_type"),
    [
        ("办卡流程.PDF", b"%PDF-1.7\n", "application/pdf"),
        ("说明.txt", "上海".encode(), "text/plain; charset=utf-8"),
        ("说明.txt", "上海".encode("gb18030"), "text/plain; charset=utf-8"),
        ("网点.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/vnd.ms-excel"),
        ("照片.jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("讲解.MP4", b"\0\0\0\x20ftypisom\0\0\2\0", "video/mp4"),
        ("讲解.webm", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm", "video/webm"),
        ("讲解.vtt", "\ufeffWEBVTT\n\n00:00.000 --> 00:01.000\n系统校验\n".encode(), "text/vtt; charset=utf-8"),
        (
            "申请表.docx",
            packed("[Content_Types].xml", "word/document.xml"),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    ],
)
def test_a_document_or_picture_is_known_by_its_name_and_content(
    file_name: str, content: bytes, content_type: str
) -> None:
    assert content_type_of(file_name, content) == content_type


@pytest.mark.parametrize(
    ("file_name", "content"),
    [
        ("page.html", b"<script>"),
        ("picture.svg", b"<svg onload='x'/>"),
        ("program.exe", b"MZ"),
        ("without ending", b"%PDF-1.7"),
        ("说明.pdf.exe", b"%PDF-1.7"),
        ("说明.pdf", b"MZ\x90"),
        ("照片.png", b"<html>"),
        ("申请表.docx", b"PK\x03\x04"),
        ("申请表.docx", packed("evil.exe")),
        ("申请表.xlsx", packed("[Content_Types].xml", "xl/vbaProject.bin")),
        ("说明.txt", b"MZ\0\0"),
        ("讲解.mp4", b"<html>ftyp"),
        ("讲解.webm", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x88matroska"),
        ("讲解.vtt", b"<script>WEBVTT"),
        ("讲解.avi", b"RIFF"),
    ],
)
def test_any_other_file_is_refused(file_name: str, content: bytes) -> None:
    assert content_type_of(file_name, content) is None
