"""The error for an unreadable file or sheet."""

LOCKED = "文件设有密码。请取消密码后重新上传。"
ADVICE = "请用 Excel 或 WPS 打开，另存为 .xlsx 后上传。"
DAMAGED = f"文件不完整或已损坏。{ADVICE}"


class UnreadableSheet(ValueError):
    """The file or sheet cannot be read; the message says in Chinese why, and what to do."""
