"""Names: how a name is written, and which of its characters banks and registers may lack."""

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Literal

from services.validation.findings import Finding, Rule

CharacterClass = Literal["ordinary", "gbk_only", "rare", "private_use", "not_allowed"]

DOT = "\u00b7"
LONGEST_NAME = 50
"""Choice: code points that a name may have."""

FORM = Rule("name.form", "1", "姓名的书写", "本系统约定：间隔号为U+00B7，不超过50字", date(2025, 1, 1))
CHARACTERS = Rule("name.characters", "1", "姓名用字", "GB 2312-1980；GBK；GB 18030-2022", date(2025, 1, 1))
RULES = (FORM, CHARACTERS)


def normalise_name(name: str) -> str:
    """The name as it is kept: NFKC, one form of the dot, no space but between Latin words, nothing invisible."""
    if _PLAIN.fullmatch(name):
        return name
    visible = "".join(character for character in name.translate(_DOTS) if unicodedata.category(character) != "Cf")
    spaced = " ".join(unicodedata.normalize("NFKC", visible).split())
    return _NEEDLESS_SPACE.sub("", spaced).strip(f" {DOT}")


@lru_cache(maxsize=32768)
def character_class(character: str) -> CharacterClass:
    """How common a character of a normalised name is.

    `ordinary`: in GB2312. `gbk_only`: in GBK, not in GB2312. `rare`: a letter or ideograph outside GBK.
    `private_use`: means nothing outside the system that typed it. `not_allowed`: no character of a name.
    """
    if character in _PUNCTUATION:
        return "ordinary"
    if unicodedata.category(character) == "Co":
        return "private_use"
    if not (character.isalpha() or character == "〇" or _is_supplementary_ideograph(character)):
        return "not_allowed"
    if _is_encodable(character, "gb2312"):
        return "ordinary"
    return "gbk_only" if _is_encodable(character, "gbk") else "rare"


def check_name(name: str) -> tuple[Finding, ...]:
    """What is wrong with a name and which of its characters need care: at most one finding for each class."""
    normalised = normalise_name(name)
    if not normalised:
        return (FORM.error("name_missing", "姓名未填写，请补充"),)
    findings = []
    if len(normalised) > LONGEST_NAME:
        message = f"姓名超过{LONGEST_NAME}个字，请核对后修改"
        findings.append(FORM.error("name_too_long", message, name=normalised, length=str(len(normalised))))
    by_class: dict[CharacterClass, str] = {}
    for character in dict.fromkeys(normalised):
        found = character_class(character)
        if found != "ordinary":
            by_class[found] = by_class.get(found, "") + character
    findings += [_finding(normalised, found, characters) for found, characters in by_class.items()]
    return tuple(findings)


# NFKC keeps most of these apart, or turns them into a full stop.
_DOTS = dict.fromkeys(map(ord, "\u30fb\uff65\u2027\u0387\u2022\uff0e"), DOT)
_PUNCTUATION = frozenset(f"{DOT} -'’.")
_PLAIN = re.compile("[\u4e00-\u9fff]+")
_IDEOGRAPH = "々〇\u3400-\u9fff\U00020000-\U0003fffd"
_NEEDLESS_SPACE = re.compile(f"(?<=[{_IDEOGRAPH}]) (?=[{_IDEOGRAPH}])| (?={DOT})|(?<={DOT}) ")


def _finding(name: str, found: CharacterClass, characters: str) -> Finding:
    shown = "、".join(f"“{character}”" for character in characters)
    code_points = " ".join(f"U+{ord(character):04X}" for character in characters)
    evidence = {"name": name, "characters": characters, "code_points": code_points}
    if found == "gbk_only":
        message = f"姓名中的{shown}不在GB2312字符集内，如发卡支行只支持GB2312，请走特殊办卡通道"
        return CHARACTERS.warning("name_outside_gb2312", message, **evidence)
    if found == "rare":
        message = f"姓名含生僻字{shown}，请走特殊办卡通道"
        return CHARACTERS.warning("name_rare_character", message, **evidence)
    if found == "private_use":
        message = f"姓名含自造字（{code_points}），其他系统无法识别，请按证件改用标准汉字"
        return CHARACTERS.error("name_private_use_character", message, **evidence)
    message = f"姓名中不能有{shown}（{code_points}），请按证件修改"
    return CHARACTERS.error("name_character_not_allowed", message, **evidence)


def _is_supplementary_ideograph(character: str) -> bool:
    # By range, since Python's own table of characters is older than the latest ideographs.
    return "\U00020000" <= character <= "\U0003fffd"


def _is_encodable(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
