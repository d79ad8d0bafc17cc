"""Numbers in the Chinese characters of finance, which cannot be altered by adding a stroke: 23 is 贰拾叁."""

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_SECTIONS = ("", "万", "亿")


def in_financial_characters(number: int) -> str:
    """Writes a whole number from 0 to below 10 ** 12 as 正确填写票据和结算凭证的基本规定 prescribes for amounts."""
    if not 0 <= number < 10 ** (4 * len(_SECTIONS)):
        raise ValueError(f"{number} is not written in words")
    words = ""
    for power in reversed(range(len(_SECTIONS))):
        section = number // 10_000**power % 10_000
        if not section:
            continue
        skipped = number // 10_000 ** (power + 1) % 10_000 == 0 or section < 1000
        words += ("零" if words and skipped else "") + _section(section) + _SECTIONS[power]
    return words or _DIGITS[0]


def _section(number: int) -> str:
    """Writes 1 to 9999; one 零 stands for all zeros between two other digits."""
    words = ""
    for power in reversed(range(len(_PLACES))):
        digit = number // 10**power % 10
        if digit:
            skipped = number // 10 ** (power + 1) % 10 == 0
            words += ("零" if words and skipped else "") + _DIGITS[digit] + _PLACES[power]
    return words
