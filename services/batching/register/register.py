"""The register 清册 of a batch: its content as frozen on submission, and the hash that proves it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from services.batching.register.numerals import in_financial_characters
from services.contracts.rules.nationality import implied_nationality
from services.contracts.values import LONG_TERM, nationality_title, to_the_minute

TITLE = "上海工会会员服务卡办卡清册"
HEADINGS = ("序号", "会员编号", "姓名", "证件类型", "证件号码", "证件到期日", "国籍")
SEALS = ("工会（盖章）：", "经办人（签字）：", "银行回执（网点盖章）：")
"""The signatures of the printed register: the union, its clerk, and the outlet that receives it."""
SEAL_DATE = "　　　年　　月　　日"
CHANNEL_NAMES = {"ordinary": "普通", "special": "特殊"}
DOCUMENT_NAMES = {
    "resident_id": "居民身份证",
    "hmt_residence_permit": "港澳台居民居住证",
    "foreign_permanent_resident_id": "外国人永久居留身份证",
    "mainland_travel_permit_hm": "港澳居民来往内地通行证",
    "mainland_travel_permit_tw": "台湾居民来往大陆通行证",
    "passport": "护照",
    "military_officer_id": "军官证",
}


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """A line of the register, with the whole document number."""

    position: int
    member_no: str
    name: str
    document_type: str
    document_number: str
    document_expiry: date | None
    nationality: str | None
    channel_reason: str | None = None

    def texts(self) -> tuple[str, ...]:
        """The printed texts of the person, in the order of HEADINGS."""
        return (
            str(self.position),
            self.member_no,
            self.name,
            self._document_text(),
            self.document_number,
            expiry_text(self.document_expiry),
            self._nationality_text(),
        )

    def _document_text(self) -> str:
        """The kind of document, and on the next line why the person takes the special channel."""
        name = DOCUMENT_NAMES[self.document_type]
        return f"{name}\n特殊原因：{self.channel_reason}" if self.channel_reason else name

    def _nationality_text(self) -> str:
        """The nationality in Chinese; batches of earlier releases may lack one that the document implies."""
        nationality = self.nationality or implied_nationality(self.document_type)
        return nationality_title(nationality) if nationality else "未登记"


@dataclass(frozen=True, slots=True)
class Register:
    """The content of the printed register."""

    batch_no: str
    channel: str
    union_code: str
    union_name: str
    outlet_name: str
    outlet_address: str
    contact_name: str
    contact_phone: str
    submitted_at: datetime
    persons: tuple[RegisteredPerson, ...]

    def digest(self) -> str:
        """SHA-256, in hex, of the content as JSON with sorted keys, without spaces, times in UTC.

        A person without a reason has no such key, as in registers from before there were reasons.
        """
        content = asdict(self)
        for person in content["persons"]:
            if person["channel_reason"] is None:
                del person["channel_reason"]
        canonical = json.dumps(
            content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_canonical_time
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    def submitted_text(self) -> str:
        """The printed time of submission, in Shanghai."""
        return to_the_minute(self.submitted_at)

    def total_text(self) -> str:
        """The number of persons, in words and in figures."""
        count = len(self.persons)
        return f"合计：{in_financial_characters(count)}人（{count} 人）"


def expiry_text(expiry: date | None) -> str:
    """The last day of validity as it is printed; empty where it is unknown."""
    if expiry is None:
        return ""
    return "长期" if expiry == LONG_TERM else expiry.isoformat()


def _canonical_time(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()
