"""What notification tells: a message lies in an inbox."""

from marshmallow import fields

from services.contracts.events.audit import ACTS_RECORDED
from services.kit.events.contract import EventContract, EventData


class MessagePostedData(EventData):
    message_id = fields.UUID(required=True)
    union_id = fields.UUID(required=True)
    role = fields.String(
        required=True, metadata={"description": "the role in the union that the message is for, or `holder`"}
    )
    account_id = fields.UUID(
        allow_none=True, load_default=None, metadata={"description": "the account that it is for alone"}
    )
    kind = fields.String(required=True)
    title = fields.String(required=True)


MESSAGE_POSTED = EventContract(
    "notification",
    "message_posted",
    MessagePostedData,
    "A message was put into the inbox of a union's role, or of one account.",
)
ACT_RECORDED = ACTS_RECORDED["notification"]
EVENTS = (MESSAGE_POSTED, ACT_RECORDED)
