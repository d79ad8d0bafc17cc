"""Lost second factors, which an administrator of the union or a superior one turns off."""

from services.contracts.operations.membership.accounts import AccountItem, AccountRequest
from services.kit.operations import audit
from services.kit.rpc.work import Work
from services.membership.accounts import controls
from services.membership.accounts.account_notifications import notify_holder
from services.membership.accounts.accounts import account_answer, managed_account, refuse_own
from services.membership.identity.second_factor import forget


def remove_second_factor_of(work: Work, request: AccountRequest) -> AccountItem:
    """Turns off an account's second factor and ends its sessions; raises NotFound, Conflict `own_account`."""
    session, caller = work.session, work.caller
    account, union = managed_account(session, caller, request.account_id)
    refuse_own(caller, account, "请在本人账号设置中停用动态口令")
    had_one = account.totp_confirmed_at is not None
    forget(session, account)
    controls.controlled_by(session, account, caller, controls.FACTOR)
    notify_holder(session, account, "second_factor_off", caller)
    audit.record(session, old={"has_second_factor": had_one}, new={"has_second_factor": False})
    return account_answer(account, union)
