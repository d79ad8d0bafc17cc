"""The events that probes publish to one another, and their external queue."""

from dataclasses import dataclass

from services.contracts.events.audit import ActRecordedData
from services.kit.events.contract import EventContract, EventData

BATCH_QUEUE = "probe.foreign"


@dataclass(frozen=True, kw_only=True)
class PingedData(EventData):
    """The key of the effect, and how the handler behaves."""

    key: str
    behaviour: str = "do"


PINGED = EventContract("probe", "pinged", PingedData, "Someone knocked.", consumers=("probe",))
GROUPED = EventContract("probe", "grouped", PingedData, "Many knocked.", consumers=("probe",))
ANSWERED = EventContract("probe", "answered", PingedData, "The probe answered a knock.")
UNHEARD = EventContract("probe", "unheard", PingedData, "Nobody is subscribed to this.", consumers=("nobody",))
ACT_RECORDED = EventContract("probe", "act_recorded", ActRecordedData, "Somebody asked the probe.")
