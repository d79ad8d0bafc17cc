"""Nationalities: three-letter codes (ISO 3166-1 alpha-3), and their Chinese names."""

import gettext
import re
from functools import cache

import pycountry

from services.kit.text import InvalidValue, clean_compatible


def clean_nationality(text: str) -> str:
    """The three-letter code of a nationality, from the code or from its Chinese name, such as 中国, 韩国 or 美国籍."""
    written = "".join(clean_compatible(text).split())
    code = written.upper()
    if code in _titles():
        return code
    for name in (written, _BRACKETS.sub("", written), written.removesuffix("籍")):
        if name in _codes():
            return _codes()[name]
    raise InvalidValue("nationality_unknown", f"国籍“{written[:20]}”无法识别，请填写国家名称或三位代码，如 中国、CHN")


def nationality_title(code: str) -> str:
    """The Chinese name of a nationality; for an unknown code the code itself."""
    return _titles().get(code, code)


_OWN_TITLES = {"HKG": "中国香港", "MAC": "中国澳门", "TWN": "中国台湾", "XKK": "科索沃"}
_OTHER_WORDS = {
    **dict.fromkeys(("中华人民共和国", "中國", "中国大陆", "中国内地", "大陆", "内地"), "CHN"),
    **dict.fromkeys(("香港", "香港地区", "香港特别行政区"), "HKG"),
    **dict.fromkeys(("澳门", "澳门地区", "澳门特别行政区"), "MAC"),
    **dict.fromkeys(("台湾", "台湾省", "台湾地区"), "TWN"),
    "刚果(金)": "COD",
    "刚果(布)": "COG",
}
_BRACKETS = re.compile("[()]")


@cache
def _titles() -> dict[str, str]:
    words = _chinese()
    titles = {
        country.alpha_3: words.gettext(getattr(country, "common_name", country.name)) for country in pycountry.countries
    }
    return titles | _OWN_TITLES


@cache
def _codes() -> dict[str, str]:
    words = _chinese()
    codes = {}
    for country in pycountry.countries:
        for name in (getattr(country, "official_name", country.name), country.name):
            codes["".join(words.gettext(name).split())] = country.alpha_3
    return codes | {title: code for code, title in _titles().items()} | _OTHER_WORDS


def _chinese() -> gettext.NullTranslations:
    return gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["zh_CN"])
