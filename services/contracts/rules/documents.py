"""The rules on identity documents: the form of the number, the facts it contains, and the validity."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, timedelta
from functools import lru_cache
from operator import mul

from stdnum import numdb

from services.contracts.rules.findings import Finding, Rule, Sex
from services.contracts.values.dates import LONG_TERM
from services.contracts.values.numbers import clean_document_number
from services.kit.text import InvalidValue

EXPIRES_SOON = timedelta(days=90)
"""Choice: how long before its expiry a document gets a warning."""

EARLIEST_BIRTH = date(1900, 1, 1)

YOUNGEST_MEMBER = 16
"""The minimum working age (劳动法 article 15), which determines the century of a two-digit birth year."""

DOCUMENT_TITLES = {
    "resident_id": "居民身份证",
    "hmt_residence_permit": "港澳台居民居住证",
    "foreign_permanent_resident_id": "外国人永久居留身份证",
    "mainland_travel_permit_hm": "港澳居民来往内地通行证",
    "mainland_travel_permit_tw": "台湾居民来往大陆通行证",
    "passport": "护照",
    "military_officer_id": "军官证",
}

FORM = Rule("document.form", "1", "证件号码的书写", "本系统约定：半角、大写、无空格", date(2025, 1, 1))
RESIDENT_ID = Rule(
    "document.resident_id", "1", "居民身份证号码", "GB 11643-1999《公民身份号码》；GB/T 2260", date(1999, 7, 1)
)
HMT_RESIDENCE_PERMIT = Rule(
    "document.hmt_residence_permit", "1", "港澳台居民居住证号码", "《港澳台居民居住证申领发放办法》", date(2018, 9, 1)
)
FOREIGN_PERMANENT_RESIDENT_ID = Rule(
    "document.foreign_permanent_resident_id",
    "1",
    "外国人永久居留身份证号码（新旧两版）",
    "国家移民管理局：2023版外国人永久居留身份证",
    date(2023, 12, 1),
)
MAINLAND_TRAVEL_PERMIT_HM = Rule(
    "document.mainland_travel_permit_hm",
    "1",
    "港澳居民来往内地通行证号码",
    "公安部：港澳居民来往内地通行证号码规则",
    date(1999, 1, 15),
)
MAINLAND_TRAVEL_PERMIT_TW = Rule(
    "document.mainland_travel_permit_tw", "1", "台湾居民来往大陆通行证号码", "公安部：电子通行证公告", date(2015, 9, 21)
)
PASSPORT = Rule("document.passport", "1", "护照号码", "《护照法》；ICAO 9303", date(2007, 1, 1))
MILITARY_OFFICER_ID = Rule("document.military_officer_id", "1", "军官证号码", "本系统约定", date(2025, 1, 1))
AGREEMENT = Rule(
    "document.agreement", "1", "登记的出生日期、性别与证件号码一致", "GB 11643-1999《公民身份号码》", date(1999, 7, 1)
)
BIRTH_DATE = Rule(
    "person.birth_date", "1", "登记的出生日期", "本系统约定：不早于1900年，不晚于校验当日", date(2025, 1, 1)
)
EXPIRY = Rule("document.expiry", "1", "证件到期日", "本系统约定：到期前90日提醒", date(2025, 1, 1))
VALIDITY_TERM = Rule("document.validity_term", "1", "居民身份证有效期限", "《居民身份证法》第五条", date(2004, 1, 1))
RULES = (
    FORM,
    RESIDENT_ID,
    HMT_RESIDENCE_PERMIT,
    FOREIGN_PERMANENT_RESIDENT_ID,
    MAINLAND_TRAVEL_PERMIT_HM,
    MAINLAND_TRAVEL_PERMIT_TW,
    PASSPORT,
    MILITARY_OFFICER_ID,
    AGREEMENT,
    BIRTH_DATE,
    EXPIRY,
    VALIDITY_TERM,
)


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """The facts that a document number contains on its holder; None where its kind does not contain them.

    `number` is normalised; `person_number` is the part that stays the same when the document is renewed.
    """

    number: str
    person_number: str
    birth_date: date | None = None
    sex: Sex | None = None
    region: str | None = None


class InvalidDocumentNumber(ValueError):
    """The number is invalid for its document; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code)
        self.finding = finding


@lru_cache(maxsize=8)  # it is read several times in a row, for the person's facts and for each judgement
def read_document_number(document_type: str, number: str, today: date) -> DocumentFacts:
    """The facts that a number contains.

    Raises InvalidDocumentNumber for a number that is invalid for the type, ValueError for an unknown type.
    """
    read = _READERS.get(document_type)
    if read is None:
        raise ValueError(f"unknown document type {document_type!r}")
    try:
        cleaned = clean_document_number(number)
    except InvalidValue as damaged:
        raise InvalidDocumentNumber(FORM.error("number_damaged", f"证件号码{damaged.reason}")) from damaged
    return read(cleaned, today)


def check_county(facts: DocumentFacts) -> tuple[Finding, ...]:
    """Warns of a resident ID whose county code is unknown; a county newer than its holder is normal."""
    if facts.region is None or _is_known_county(facts.region):
        return ()
    message = f"证件号码前6位“{facts.region}”不在行政区划代码表中，请核对证件原件"
    return (RESIDENT_ID.warning("county_unknown", message, number=facts.number, region=facts.region),)


def check_agreement(facts: DocumentFacts, birth_date: date | None, sex: Sex | None) -> tuple[Finding, ...]:
    """Compares the entered birth date and sex with those in the number; missing ones are not compared."""
    findings = []
    if birth_date and facts.birth_date and birth_date != facts.birth_date:
        message = "登记的出生日期与证件号码中的不一致，请核对证件原件后修改"
        findings.append(
            AGREEMENT.error(
                "birth_date_differs",
                message,
                number=facts.number,
                in_number=str(facts.birth_date),
                in_form=str(birth_date),
            )
        )
    if sex and facts.sex and sex != facts.sex:
        message = "登记的性别与证件号码不一致，请核对证件原件后修改"
        findings.append(AGREEMENT.error("sex_differs", message, number=facts.number, in_number=facts.sex, in_form=sex))
    return tuple(findings)


def check_chinese_passport(facts: DocumentFacts, nationality: str | None) -> tuple[Finding, ...]:
    """Checks that a passport of nationality CHN has a number of the form that China issues."""
    if nationality != "CHN" or _CHINESE_PASSPORT.fullmatch(facts.number):
        return ()
    message = "中国护照号码应为E加8位数字，或E加1位字母和7位数字；请核对护照号码和国籍，港澳居民请改用来往内地通行证"
    return (PASSPORT.error("number_form", message, number=facts.number, nationality=nationality),)


def check_birth_date(birth_date: date | None, today: date) -> tuple[Finding, ...]:
    """Checks an entered birth date that no number confirms, by the bounds of those in numbers."""
    if birth_date is None or EARLIEST_BIRTH <= birth_date <= today:
        return ()
    message = f"登记的出生日期应在{EARLIEST_BIRTH.year}年以后、今天以前，请核对证件原件后修改"
    return (BIRTH_DATE.error("birth_date_implausible", message, birth_date=str(birth_date), checked_on=str(today)),)


def check_expiry(expiry: date | None, today: date) -> tuple[Finding, ...]:
    """Checks the expiry date, the last valid day; LONG_TERM never expires, None means that it was not filled in."""
    if expiry is None:
        return (EXPIRY.error("expiry_missing", "证件到期日未填写，请核对证件后点击“修改证件到期日”补充"),)
    evidence = {"expiry": str(expiry), "checked_on": str(today)}
    if expiry < today:
        message = f"证件已于{expiry}到期，请换领新证后点击“修改证件到期日”更新，或移除该会员"
        return (EXPIRY.error("expired", message, **evidence),)
    if expiry - today <= EXPIRES_SOON:
        message = f"证件将于{expiry}到期，请核对证件到期日，并提醒会员及时换证"
        return (EXPIRY.warning("expires_soon", message, **evidence),)
    return ()


def check_validity_term(birth_date: date, issued: date | None, expiry: date, today: date) -> tuple[Finding, ...]:
    """Warns of a resident ID whose expiry does not follow from the age at issue (居民身份证法, article 5).

    Where the date of issue is not known, it warns when no date of issue up to today could give that expiry.
    """
    if issued is None:
        fits = any(
            _follows(birth_date, candidate, expiry, today) for candidate in _possible_issues(birth_date, expiry, today)
        )
    else:
        fits = _follows(birth_date, issued, expiry, today)
    if fits:
        return ()
    message = "证件到期日与居民身份证的法定有效期限（5年、10年、20年、长期）不符，请核对证件上的有效期限"
    evidence = {
        "birth_date": str(birth_date),
        "issued": str(issued or ""),
        "expiry": str(expiry),
        "checked_on": str(today),
    }
    return (VALIDITY_TERM.warning("validity_term_unusual", message, **evidence),)


_PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71))
    for code in range(first, last + 1)
)
_HMT_REGIONS = frozenset({"810000", "820000", "830000"})
_CITIZEN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CITIZEN_CHECKS = "10X98765432"
_PASSPORT_WEIGHTS = (7, 3, 1) * 5

_CITIZEN_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
_OLD_FOREIGN_NUMBER = re.compile(r"[A-Z]{3}[0-9]{12}")
_HM_PERMIT = re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?")
_TW_PERMIT = re.compile(r"[0-9]{8}|[0-9A-Z]{10,12}")
_CHINESE_PASSPORT = re.compile(r"E[0-9]{8}|E[A-Z][0-9]{7}")
_ANY_PASSPORT = re.compile(r"[0-9A-Z]{5,17}")
_OFFICER_ID = re.compile(r"[一-龥]字第[0-9A-Z]{4,8}号?")


def _read_resident_id(number: str, today: date) -> DocumentFacts:
    _require_form(RESIDENT_ID, _CITIZEN_NUMBER, number, "居民身份证号码应为18位：17位数字和1位校验码（数字或X）")
    if number[:6] in _HMT_REGIONS:
        raise _of_another_document(number, "hmt_residence_permit")
    if number[0] == "9":
        raise _of_another_document(number, "foreign_permanent_resident_id")
    _require_province(RESIDENT_ID, number, number[:2])
    birth_date = _birth_date(RESIDENT_ID, number, number[6:14], today)
    _require_citizen_check(RESIDENT_ID, number)
    return DocumentFacts(number, number, birth_date, _sex(number), number[:6])


def _read_hmt_residence_permit(number: str, today: date) -> DocumentFacts:
    rule = HMT_RESIDENCE_PERMIT
    _require_form(rule, _CITIZEN_NUMBER, number, "港澳台居民居住证号码应为18位：17位数字和1位校验码（数字或X）")
    if number[:6] not in _HMT_REGIONS:
        message = "港澳台居民居住证号码应以810000、820000或830000开头，请核对证件类型和证件号码"
        raise InvalidDocumentNumber(rule.error("region_unknown", message, number=number, region=number[:6]))
    birth_date = _birth_date(rule, number, number[6:14], today)
    _require_citizen_check(rule, number)
    return DocumentFacts(number, number, birth_date, _sex(number))


def _read_foreign_permanent_resident_id(number: str, today: date) -> DocumentFacts:
    if number[:1] == "9":
        return _read_new_foreign_number(number, today)
    return _read_old_foreign_number(number, today)


def _read_new_foreign_number(number: str, today: date) -> DocumentFacts:
    # None of our sources says that the sequence contains the sex, as on a resident ID.
    rule = FOREIGN_PERMANENT_RESIDENT_ID
    _require_form(rule, _CITIZEN_NUMBER, number, _FOREIGN_FORM)
    _require_province(rule, number, number[1:3])
    birth_date = _birth_date(rule, number, number[6:14], today)
    _require_citizen_check(rule, number)
    return DocumentFacts(number, number, birth_date)


def _read_old_foreign_number(number: str, today: date) -> DocumentFacts:
    rule = FOREIGN_PERMANENT_RESIDENT_ID
    _require_form(rule, _OLD_FOREIGN_NUMBER, number, _FOREIGN_FORM)
    _require_province(rule, number, number[3:5])
    century = "20" if 2000 + int(number[7:9]) <= today.year - YOUNGEST_MEMBER else "19"
    birth_date = _birth_date(rule, number, century + number[7:13], today)
    total = sum(weight * int(character, 36) for weight, character in zip(_PASSPORT_WEIGHTS, number[:14], strict=False))
    _require_check(rule, number, str(total % 10))
    return DocumentFacts(number, number, birth_date)


def _read_mainland_travel_permit_hm(number: str, _today: date) -> DocumentFacts:
    form = "港澳居民来往内地通行证号码应为H或M加8位数字（旧证后加2位换证次数）"
    _require_form(MAINLAND_TRAVEL_PERMIT_HM, _HM_PERMIT, number, form)
    return DocumentFacts(number, number[:9])


def _read_mainland_travel_permit_tw(number: str, _today: date) -> DocumentFacts:
    form = "台湾居民来往大陆通行证号码应为8位数字（旧证和一次有效证件为10至12位）"
    _require_form(MAINLAND_TRAVEL_PERMIT_TW, _TW_PERMIT, number, form)
    return DocumentFacts(number, number)


def _read_passport(number: str, _today: date) -> DocumentFacts:
    _require_form(PASSPORT, _ANY_PASSPORT, number, "护照号码应为5至17位字母和数字")
    return DocumentFacts(number, number)


def _read_military_officer_id(number: str, _today: date) -> DocumentFacts:
    _require_form(MILITARY_OFFICER_ID, _OFFICER_ID, number, "军官证号码应如“军字第1234567号”")
    return DocumentFacts(number, number)


_FOREIGN_FORM = "外国人永久居留身份证号码应为18位（9开头，末位为数字或X），旧版为3位字母加12位数字"
_READERS: dict[str, Callable[[str, date], DocumentFacts]] = {
    "resident_id": _read_resident_id,
    "hmt_residence_permit": _read_hmt_residence_permit,
    "foreign_permanent_resident_id": _read_foreign_permanent_resident_id,
    "mainland_travel_permit_hm": _read_mainland_travel_permit_hm,
    "mainland_travel_permit_tw": _read_mainland_travel_permit_tw,
    "passport": _read_passport,
    "military_officer_id": _read_military_officer_id,
}


def _require_form(rule: Rule, form: re.Pattern[str], number: str, expected: str) -> None:
    if not form.fullmatch(number):
        raise InvalidDocumentNumber(rule.error("number_form", f"{expected}，请核对证件类型和证件号码", number=number))


def _of_another_document(number: str, document_type: str) -> InvalidDocumentNumber:
    message = f"该号码是{DOCUMENT_TITLES[document_type]}号码，请核对证件类型"
    return InvalidDocumentNumber(
        RESIDENT_ID.error("other_document_type", message, number=number, document_type=document_type)
    )


def _require_province(rule: Rule, number: str, province: str) -> None:
    if province not in _PROVINCES:
        message = f"证件号码中的省级代码“{province}”不存在，请核对证件原件后修改"
        raise InvalidDocumentNumber(rule.error("province_unknown", message, number=number, province=province))


def _birth_date(rule: Rule, number: str, digits: str, today: date) -> date:
    try:
        birth_date = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        birth_date = None
    if birth_date is None or not EARLIEST_BIRTH <= birth_date <= today:
        message = f"证件号码中的出生日期“{digits}”不正确，请核对证件原件后修改"
        raise InvalidDocumentNumber(rule.error("birth_date_invalid", message, number=number, birth_date=digits))
    return birth_date


def _sex(number: str) -> Sex:
    return "male" if number[16] in "13579" else "female"


def _require_citizen_check(rule: Rule, number: str) -> None:
    total = sum(map(mul, _CITIZEN_WEIGHTS, map(int, number[:17])))
    _require_check(rule, number, _CITIZEN_CHECKS[total % 11])


def _require_check(rule: Rule, number: str, expected: str) -> None:
    if number[-1] != expected:
        message = "证件号码校验码不正确，请核对证件原件后修改"
        raise InvalidDocumentNumber(rule.error("check_digit_wrong", message, number=number, expected=expected))


@lru_cache(maxsize=8192)
def _is_known_county(region: str) -> bool:
    return any("county" in properties for _, properties in numdb.get("cn/loc").info(region))


def _possible_issues(birth_date: date, expiry: date, today: date) -> tuple[date, ...]:
    if expiry == LONG_TERM:
        return (today,)
    return tuple(issued for years in (5, 10, 20) for issued in _same_day(expiry, expiry.year - years))


def _follows(birth_date: date, issued: date, expiry: date, today: date) -> bool:
    if not birth_date <= issued <= today:
        return False
    age = issued.year - birth_date.year - ((issued.month, issued.day) < (birth_date.month, birth_date.day))
    if age >= 46:
        return expiry == LONG_TERM
    years = 5 if age < 16 else 10 if age < 26 else 20
    return expiry in _same_day(issued, issued.year + years)


def _same_day(day: date, year: int) -> tuple[date, ...]:
    """The same day of another year; for 29 February both days that may stand for it."""
    if not MINYEAR <= year <= MAXYEAR:
        return ()
    try:
        return (day.replace(year=year),)
    except ValueError:
        return (date(year, 2, 28), date(year, 3, 1))
