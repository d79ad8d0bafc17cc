"""Settings of a stack without rate limits and with little proof of work, for tests and measurements."""

from gateway.limits import KINDS

UNLIMITED = {
    **{f"{kind.upper()}_PER_{whose}": "0" for kind in KINDS for whose in ("ACCOUNT", "ADDRESS")},
    "SIGN_IN_FAILURES_PER_ADDRESS": "1000000",
    "SMS_PHONES_AN_HOUR_PER_ADDRESS": "1000000",
    "PROOF_OF_WORK_BITS": "4",
}
