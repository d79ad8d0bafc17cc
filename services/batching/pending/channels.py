"""The rule that chooses an application's channel, ordinary or special."""

from dataclasses import dataclass
from typing import Literal

Channel = Literal["ordinary", "special"]
Charset = Literal["gb2312", "gbk", "gb18030"]


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The channel of an application; `locked` where the clerk cannot switch it back to ordinary.

    A reason on the ordinary channel is a warning for the clerk.
    """

    channel: Channel
    reason_code: str | None
    reason: str | None
    locked: bool


def channel_for(document_type: str, name: str, charset: Charset) -> ChannelChoice:
    """The channel for a normalised name and a document, at a branch whose systems take that character set.

    A document other than the resident ID requires the special channel. A rare character (outside GBK) leads there too,
    whatever the branch takes, but the clerk may switch. A character in GBK but not in the branch's GB2312 only gives a
    warning.
    """
    if document_type != "resident_id":
        return ChannelChoice("special", "document_type", "非居民身份证件，只能走特殊办卡通道", locked=True)
    if rare := outside_charset(name, "gbk"):
        return ChannelChoice("special", "rare_character", f"姓名含生僻字“{rare}”，走特殊办卡通道", locked=False)
    if charset == "gb2312" and (lacking := outside_charset(name, "gb2312")):
        warning = f"发卡支行的字符集（GB2312）没有“{lacking}”，请与支行确认或切换至特殊办卡通道"
        return ChannelChoice("ordinary", "outside_branch_charset", warning, locked=False)
    return ChannelChoice("ordinary", None, None, locked=False)


def outside_charset(name: str, charset: str) -> str:
    """The characters of the name that the character set lacks.

    The dot is in all of them, though Python's gb2312 takes its code for U+30FB.
    """
    letters = name.replace("·", "")
    return "".join(letter for letter in dict.fromkeys(letters) if not _is_in(letter, charset))


def _is_in(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
