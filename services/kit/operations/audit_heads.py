"""Signed heads of the audit log: membership states where its chain ended at a moment, and other services keep that.

A statement is a JWS (RFC 7515) over position, hash and time. The services keep all that they receive: a chain that was
cut, rewritten or restored from a backup lacks heads that they have kept.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, Protocol

import structlog
from joserfc import jws
from joserfc.jwk import OKPKey
from nameko.extensions import DependencyProvider
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.kit.data.database import audit_head
from services.kit.events.envelope import Event
from services.kit.events.failures import Reject
from services.kit.secret_values import KeySet
from services.kit.settings import SettingsError, is_production, read_settings, settings_class
from services.kit.strict_json import read_json

ALGORITHM: Literal["Ed25519"] = "Ed25519"

log = structlog.get_logger()


@settings_class
class AuditHeadSettings:
    """The keys that verify membership's signatures of audit-log heads."""

    audit_public_keys: KeySet = KeySet("")
    """The public keys that signed heads of the audit log are verified by, a JWK Set of Ed25519 keys; needed in
    production."""


@dataclass(frozen=True)
class SignedHead:
    """Where the chain ended, and the signed statement of it."""

    position: int
    hash: bytes
    statement: str
    at: datetime


class NotSigned(ValueError):
    """The text is not a statement, or none of the keys has signed it."""


class AuditHeadVerification(DependencyProvider):
    """Prevents a process from starting in production without the keys that verify membership's heads."""

    def check_keys(self) -> None:
        """Raises SettingsError where heads could not be verified in production."""
        if not public_keys() and is_production():
            raise SettingsError("Settings in the environment: AUDIT_PUBLIC_KEYS is not set.")

    def setup(self) -> None:
        """Says in the log where heads are not verified, which only production refuses."""
        if not public_keys():
            log.warning("audit_heads_not_verified")

    def get_dependency(self, worker_ctx: Any) -> None:
        """None: `handle_signed_head` needs no dependency."""


class SignedStatement(Protocol):
    """The data of the event that publishes a head."""

    @property
    def statement(self) -> str:
        """The signed statement."""


def handle_signed_head(session: Session, event: Event[SignedStatement]) -> None:
    """Keeps a head that membership has signed, permanently. Raises Reject for one that it has not.

    A head that contradicts an earlier one of its position is kept too: `audit_verify` finds that the chain lacks one of
    them.
    """
    keys = public_keys()
    if not keys:
        return
    try:
        head = verified(event.data.statement, keys)
    except NotSigned as error:
        raise Reject(f"audit_head_not_signed: {error}") from error
    known = set(session.scalars(select(audit_head.c.hash).where(audit_head.c.position == head.position)))
    if known - {head.hash}:
        log.error("audit_heads_differ", position=head.position)
    store_head(session, head)


def store_head(session: Session, head: SignedHead) -> None:
    """Stores a head unless it is stored already."""
    values = {"position": head.position, "hash": head.hash, "statement": head.statement}
    session.execute(insert(audit_head).values(values).on_conflict_do_nothing())


def verified(statement: str, keys: Sequence[OKPKey]) -> SignedHead:
    """The head in a statement that one of the keys has signed; raises NotSigned."""
    for key in keys:
        try:
            payload = jws.deserialize_compact(statement, key, algorithms=[ALGORITHM]).payload
            document = read_json(payload)
            at = datetime.fromisoformat(document["at"]).astimezone(UTC)
            return SignedHead(int(document["position"]), bytes.fromhex(document["hash"]), statement, at)
        except Exception as error:
            found = error
    raise NotSigned(f"No key of AUDIT_PUBLIC_KEYS signed it ({type(found).__name__}).")


def signed(position: int, digest: bytes, key: OKPKey) -> SignedHead:
    """A head, signed with a private key, that states where the chain ends now."""
    at = datetime.now(UTC)
    document = {"position": position, "hash": digest.hex(), "at": at.isoformat(timespec="microseconds")}
    protected = {"alg": ALGORITHM, "kid": key.kid}
    statement = jws.serialize_compact(protected, json.dumps(document), key, algorithms=[ALGORITHM])
    return SignedHead(position, digest, statement, at)


def public_keys() -> Sequence[OKPKey]:
    """The keys that verify statements; none where the setting is empty. Raises SettingsError."""
    return signing_keys(read_settings(AuditHeadSettings).audit_public_keys, "AUDIT_PUBLIC_KEYS", private=False)


@cache
def signing_keys(text: KeySet, variable: str, *, private: bool) -> Sequence[OKPKey]:
    """The Ed25519 keys of a JWK Set; raises SettingsError for anything else."""
    if not text:
        return ()
    try:
        listed = read_json(text.encode())["keys"]
        keys = [OKPKey.import_key(one) for one in listed if one["crv"] == ALGORITHM and one["kid"]]
    except Exception as error:
        raise SettingsError(f"{variable} cannot be read as a JWK Set ({type(error).__name__}).") from None
    if not keys or len(keys) < len(listed) or (private and not all(key.is_private for key in keys)):
        raise SettingsError(f"{variable} is not a JWK Set of {'private ' if private else ''}Ed25519 keys with kids.")
    return keys
