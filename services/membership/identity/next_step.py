"""The next step that an account's holder must do after sign-in before anything else is allowed."""

from services.kit.settings import is_production, read_settings, settings_class
from services.membership.models import Account, SignedInSession

SECOND_FACTOR, PASSWORD_CHANGE, ENROLMENT = "second_factor", "password_change", "second_factor_enrolment"


@settings_class
class SecondFactorSettings:
    """Who must have a second factor; read from the environment by `read_settings`."""

    require_second_factor_of_administrators: bool | None = None
    """Whether they must; if not set, only in production."""
    require_second_factor_of_reviewers: bool | None = None
    """Whether they must; if not set, only in production."""


def next_step(account: Account, signed_in: SignedInSession) -> str | None:
    """One of the contract's NEXT_STEPS, or None if none is needed; authentication steps come first."""
    if account.totp_confirmed_at is not None and not signed_in.passed_second_factor:
        return SECOND_FACTOR
    if account.must_change_password:
        return PASSWORD_CHANGE
    if account.totp_confirmed_at is None and _is_required(account):
        return ENROLMENT
    return None


def _is_required(account: Account) -> bool:
    settings = read_settings(SecondFactorSettings)
    settings_by_role = {
        "administrator": settings.require_second_factor_of_administrators,
        "reviewer": settings.require_second_factor_of_reviewers,
    }
    required = [
        is_production() if one is None else one for role, one in settings_by_role.items() if role in account.roles
    ]
    return any(required)
