"""What the pages keep for an account: columns of lists, their width and density, the size of a page."""

from dataclasses import dataclass
from typing import Annotated

from services.contracts.operations.roles import ACCOUNTS
from services.kit.fields import FullMatch, text
from services.kit.rpc.operation import command, own_data, query

MOST_PREFERENCES = 60
"""The most preferences of one account."""


@dataclass(frozen=True, kw_only=True)
class GetPreferencesRequest:
    """Takes nothing: the caller is known."""


@dataclass(frozen=True, kw_only=True)
class SavePreferenceRequest:
    """A choice of the caller's account, which the pages alone understand."""

    name: Annotated[str, FullMatch(r"^[a-z][a-z0-9._-]{0,39}$", error="名称应为小写字母、数字或 . _ -")]
    value: Annotated[str, text(2000), "JSON"]


@dataclass(frozen=True, kw_only=True)
class Preference:
    name: str
    value: Annotated[str, "JSON"]


@dataclass(frozen=True, kw_only=True)
class PreferencesAnswer:
    items: list[Preference]


GET_PREFERENCES = query(
    "membership.get_preferences", GetPreferencesRequest, PreferencesAnswer, allow=own_data(*ACCOUNTS)
)
SAVE_PREFERENCE = command(
    "membership.save_preference", SavePreferenceRequest, allow=own_data(*ACCOUNTS), title="保存页面显示设置"
)
