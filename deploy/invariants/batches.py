"""Batches and revocations: persons as submitted, counts that add up, services that agree."""

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter

from sqlalchemy import RowMapping

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Side, Violation, disagreements, paired
from services.batching.register.register import Register, RegisteredPerson
from services.kit.data.encryption import CannotDecrypt, Keyring

# Only batching calls an approval that released nobody closed.
_IN_BATCHING = """
    select batch_no, union_id, superior_union_id, channel, total, submitted_at,
        case revocation_state when 'closed' then 'approved' else revocation_state end as revocation_state
    from batch order by batch_no collate "C"
"""
_IN_REVOCATION = """
    select batch_no, union_id, superior_union_id, channel, total, submitted_at, (
        select case state when 'closed' then 'approved' else state end from revocation
        where revocation.batch_no = batch.batch_no order by requested_at desc limit 1
    ) as revocation_state
    from batch order by batch_no collate "C"
"""
_COUNTS = """
    select batch_no, total, issued, refused, released, coalesce(persons, 0) as persons,
        coalesce(applications, 0) as applications, coalesce(now_issued, 0) as now_issued,
        coalesce(now_refused, 0) as now_refused, coalesce(now_released, 0) as now_released
    from batch
    left join (select batch_no, count(*) as persons from batch_person group by batch_no) as p using (batch_no)
    left join (
        select batch_no, count(*) as applications,
            count(*) filter (where state = 'issued') as now_issued,
            count(*) filter (where state = 'refused') as now_refused,
            count(*) filter (where state = 'released') as now_released
        from application where batch_no is not null group by batch_no
    ) as a using (batch_no)
    where (total, total, issued, refused, released) is distinct from (
        coalesce(persons, 0), coalesce(applications, 0), coalesce(now_issued, 0), coalesce(now_refused, 0),
        coalesce(now_released, 0)
    )
"""
_STRANGERS = """
    select application_id, batch_person.batch_no, application.batch_no as now_in, consent_receipt.version as consent
    from batch_person
    left join application using (application_id) left join consent_receipt using (application_id)
    where batch_person.batch_no is distinct from application.batch_no
    or batch_person.member_no is distinct from application.member_no
    or consent_receipt.application_id is null
"""
_NUMBERS = """
    select union_code, day, last, coalesce(given, 0) as given
    from batch_counter full join (
        select union_code, to_date(substring(batch_no from length('cbc' || union_code) + 1 for 8), 'YYYYMMDD') as day,
            count(*) as given
        from batch group by 1, 2
    ) as batches using (union_code, day)
    where last is distinct from given
"""
_REGISTERS = """
    select batch_no, batch.channel, union_code, union_name, outlet_name, outlet_address, contact_name, contact_phone,
        submitted_at, coalesce(erased_register_hash, register_hash) as register_hash,
        position, member_no, name, document_type, document_number, document_expiry, nationality, channel_reason
    from batch join batch_person using (batch_no) order by batch_no collate "C", position
"""
_OPEN_TWICE = """
    select batch_no, count(*) as several from revocation where state = 'requested' group by batch_no having count(*) > 1
"""
_LATEST = """
    select distinct on (batch_no collate "C") batch_no, state from revocation
    order by batch_no collate "C", requested_at desc
"""
_REVOKED_OR_DECIDED = """
    select batch_no, revocation_state = 'approved' as is_revoked, total = issued + refused + released as is_decided
    from batch where revocation_state is not null order by batch_no collate "C"
"""
_UNDECIDED = """
    select batch_no, count(*) as undecided from application where state = 'submitted'
    group by batch_no order by batch_no collate "C"
"""


def revocation_knows_batches(snapshots: Snapshots) -> Iterator[Violation]:
    """Revocation knows each batch as submitted, and batching knows the state of its revocation."""
    batching = Side("batching", snapshots.rows("batching", _IN_BATCHING))
    return disagreements("batches_agree", batching, Side("revocation", snapshots.rows("revocation", _IN_REVOCATION)))


def revocations_are_done(snapshots: Snapshots) -> Iterator[Violation]:
    """A batch has at most one open request, none if all is decided; exactly the approved batches are revoked."""
    for row in snapshots.rows("revocation", _OPEN_TWICE):
        yield Violation("revocation_done", row["batch_no"], f"{row['several']} open requests")
    latest, undecided = snapshots.rows("revocation", _LATEST), snapshots.rows("batching", _UNDECIDED)
    for batch_no, request, left in paired(latest, undecided):
        if request and request["state"] in ("approved", "closed") and left:
            detail = f"the request is {request['state']} in revocation, {left['undecided']} are submitted in batching"
            yield Violation("revocation_done", batch_no, detail)
    latest, batches = snapshots.rows("revocation", _LATEST), snapshots.rows("batching", _REVOKED_OR_DECIDED)
    for batch_no, request, batch in paired(latest, batches):
        if request and batch and batch["is_decided"] and request["state"] == "requested":
            yield Violation("revocation_done", batch_no, "the bank has decided on all, the request is still open")
        if batch and batch["is_revoked"] and (request is None or request["state"] != "approved"):
            detail = f"revoked in batching, the request is {request['state'] if request else None} in revocation"
            yield Violation("revocation_done", batch_no, detail)


def counts_add_up(snapshots: Snapshots) -> Iterator[Violation]:
    """A batch's counts match its persons and the states of its applications."""
    for row in snapshots.rows("batching", _COUNTS):
        kept = ", ".join(f"{name} {row[name]}" for name in ("total", "issued", "refused", "released"))
        found = ", ".join(
            f"{name.removeprefix('now_')} {row[name]}"
            for name in ("persons", "applications", "now_issued", "now_refused", "now_released")
        )
        yield Violation("batch_counts", row["batch_no"], f"kept: {kept}; found: {found}")


def persons_are_those_of_their_applications(snapshots: Snapshots) -> Iterator[Violation]:
    """Each person in a batch is the application's member and has given consent."""
    for row in snapshots.rows("batching", _STRANGERS):
        detail = f"a person of {row['batch_no']}, the application is in {row['now_in']}, consent {row['consent']}"
        yield Violation("batch_persons", str(row["application_id"]), detail)


def numbers_have_no_gap(snapshots: Snapshots) -> Iterator[Violation]:
    """Each union's batch numbers of a day have no gap."""
    for row in snapshots.rows("batching", _NUMBERS):
        detail = f"{row['last']} numbers counted, {row['given']} batches"
        yield Violation("batch_numbers", f"{row['union_code']}/{row['day']}", detail)


def registers_say_the_same(snapshots: Snapshots, keyring: Keyring) -> Iterator[Violation]:
    """A batch's persons match the hash that was stored at its submission."""
    for batch_no, rows in groupby(snapshots.rows("batching", _REGISTERS), itemgetter("batch_no")):
        lines = list(rows)
        try:
            found = _register(keyring, lines).digest()
        except (CannotDecrypt, UnicodeDecodeError):
            yield Violation("register_unchanged", batch_no, "a value cannot be decrypted")
            continue
        if found != lines[0]["register_hash"]:
            detail = f"the hash is {lines[0]['register_hash']}, that of what it says now {found}"
            yield Violation("register_unchanged", batch_no, detail)


def _register(keyring: Keyring, lines: list[RowMapping]) -> Register:
    batch = lines[0]
    decrypted = partial(_decrypted, keyring)
    plain = ("batch_no", "channel", "union_code", "union_name", "outlet_name", "outlet_address", "submitted_at")
    return Register(
        **{name: batch[name] for name in plain},
        contact_name=decrypted(batch["contact_name"]),
        contact_phone=decrypted(batch["contact_phone"]),
        persons=tuple(
            RegisteredPerson(
                position=line["position"],
                member_no=line["member_no"],
                name=line["name"],
                document_type=line["document_type"],
                document_number=decrypted(line["document_number"]),
                document_expiry=line["document_expiry"],
                nationality=line["nationality"],
                channel_reason=decrypted(line["channel_reason"]) if line["channel_reason"] else None,
            )
            for line in lines
        ),
    )


def _decrypted(keyring: Keyring, stored: bytes) -> str:
    return keyring.decrypt(bytes(stored)).decode()
