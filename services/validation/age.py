"""The rule on age: a person below the minimum working age gets no card."""

from datetime import date

from services.contracts.rules.documents import YOUNGEST_MEMBER
from services.contracts.rules.findings import Finding, Rule

AGE = Rule("person.age", "1", "达到就业年龄", "《劳动法》第十五条：禁止招用未满十六周岁的未成年人", date(1995, 1, 1))
RULES = (AGE,)


def check_age(birth_date: date | None, today: date) -> tuple[Finding, ...]:
    """An error for a person younger than 16; an unknown birth date is reported by the rule on retirement."""
    if birth_date is None or _age(birth_date, today) >= YOUNGEST_MEMBER:
        return ()
    message = f"会员未满{YOUNGEST_MEMBER}周岁，不能办卡；请核对出生日期，或移除该会员"
    return (AGE.error("under_age", message, birth_date=str(birth_date), checked_on=str(today)),)


def _age(birth_date: date, today: date) -> int:
    return today.year - birth_date.year - ((today.month, today.day) < (birth_date.month, birth_date.day))
