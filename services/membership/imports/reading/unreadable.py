"""The error of a file that is no sheet of members."""

LOCKED = "文件设有密码。请取消密码后重新上传。"


class UnreadableSheet(ValueError):
    """A file, or a sheet, that cannot be read; the message says in Chinese why, and what to do."""
