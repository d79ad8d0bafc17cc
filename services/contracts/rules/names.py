"""The rules on names: invalid characters, and characters that banks and registers may lack."""

from datetime import date

from services.contracts.rules.findings import Finding, Rule
from services.contracts.values.names import LONGEST_NAME, CharacterClass, character_class, clean_name, is_nameless
from services.kit.text import InvalidValue

FORM = Rule("name.form", "3", "姓名的书写", "本系统约定：间隔号为U+00B7，不超过50字", date(2025, 1, 1))
CHARACTERS = Rule("name.characters", "3", "姓名用字", "GB 2312-1980；GBK；GB 18030-2022", date(2025, 1, 1))
RULES = (FORM, CHARACTERS)


def check_name(name: str) -> tuple[Finding, ...]:
    """The findings on a name's characters, invalid or needing care: at most one for each class."""
    try:
        cleaned = clean_name(name)
    except InvalidValue as damaged:
        return (CHARACTERS.error("name_character_not_allowed", f"姓名{damaged.reason}"),)
    if is_nameless(cleaned):
        return (FORM.error("name_missing", "姓名未填写，请补充"),)
    findings = []
    if len(cleaned) > LONGEST_NAME:
        message = f"姓名超过{LONGEST_NAME}个字，请核对后修改"
        findings.append(FORM.error("name_too_long", message, name=cleaned, length=str(len(cleaned))))
    by_class: dict[CharacterClass, str] = {}
    for character in dict.fromkeys(cleaned):
        found = character_class(character)
        if found != "ordinary":
            by_class[found] = by_class.get(found, "") + character
    findings += [_finding(cleaned, found, characters) for found, characters in by_class.items()]
    return tuple(findings)


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
