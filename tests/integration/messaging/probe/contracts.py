"""The events that probes tell one another."""

from marshmallow import fields

from services.common.contracts.event import EventContract, EventData


class PingedData(EventData):
    key = fields.String(required=True)
    behaviour = fields.String(load_default="do")


PINGED = EventContract("probe", "pinged", PingedData, "Someone knocked.", consumers=("probe",))
ANSWERED = EventContract("probe", "answered", PingedData, "The probe answered a knock.")
UNHEARD = EventContract("probe", "unheard", PingedData, "Nobody is subscribed to this.", consumers=("nobody",))
