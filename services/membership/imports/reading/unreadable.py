"""The error for an unreadable file or sheet."""

LOCKED = "文件设有密码。请取消密码后重新上传。"


class UnreadableSheet(ValueError):
    """The file or sheet cannot be read; the message says in Chinese why, and what to do."""
