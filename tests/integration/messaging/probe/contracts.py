"""The events that probes tell one another, and their foreign queue."""

from marshmallow import fields

from services.contracts.events.audit import ActRecordedData
from services.kit.events.contract import EventContract, EventData

BATCH_QUEUE = "probe.foreign"


class PingedData(EventData):
    key = fields.String(required=True)
    behaviour = fields.String(load_default="do")


PINGED = EventContract("probe", "pinged", PingedData, "Someone knocked.", consumers=("probe",))
ANSWERED = EventContract("probe", "answered", PingedData, "The probe answered a knock.")
UNHEARD = EventContract("probe", "unheard", PingedData, "Nobody is subscribed to this.", consumers=("nobody",))
ACT_RECORDED = EventContract("probe", "act_recorded", ActRecordedData, "Somebody asked the probe.")
