"""Settings of a stack that lets one address ask and fail as often as tests and measurements do, for little work."""

from gateway.limits import KINDS

UNLIMITED = {
    **{f"{kind.upper()}_PER_{whose}": "0" for kind in KINDS for whose in ("ACCOUNT", "ADDRESS")},
    "SIGN_IN_FAILURES_PER_ADDRESS": "1000000",
    "SMS_PHONES_AN_HOUR_PER_ADDRESS": "1000000",
    "PROOF_OF_WORK_BITS": "4",
}
