"""Members who move between two unions by transfers, while their applications are queued, at the bank, or done."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

from deploy.local.client import ApiClient
from services.membership.seed import demo_password
from tests.chaos.people import make_people
from tests.chaos.promises import Verdict
from tests.chaos.work import Clerk, Office, new_clerk

_NAMES = ("chaoseast", "chaoswest")
_UNION_SERIAL = 890_000
_FIRST_PERSON = 1_900_000
_MEMBERS_A_MOVE = 2
_DECLINED, _WITHDRAWN = 0.15, 0.3
"""The shares of transfers that the old union declines, and, up to the second number, that the new one withdraws."""


@dataclass
class Movers:
    """Two unions, and which of them each member belongs to by the answers that their clerks got."""

    office: Office
    clerks: list[Clerk]
    dice: random.Random
    union_of: dict[str, int] = field(default_factory=dict)
    """The union of each member, by name."""
    moved: int = 0

    def work(self, moves: int, begin: float, every: float) -> None:
        """Registers members, applies for their cards, and moves them; `begin` and `every` as for a clerk's rounds."""
        forms = {form["name"]: form for form in make_people(_FIRST_PERSON, _MEMBERS_A_MOVE * moves)}
        for number, form in enumerate(forms.values()):
            self.clerks[number % 2].client.post("members", form)
            self.union_of[form["name"]] = number % 2
        east, west = self.clerks
        west.apply_for_all()
        self.office.wait(east.are_all_numbered)
        east.queue()
        for number in range(moves):
            while time.monotonic() < begin + number * every and not self.office.over.is_set():
                time.sleep(0.1)
            self._move(forms[self.dice.choice(sorted(forms))])

    def verify(self, verdict: Verdict) -> None:
        """Verifies that each member is in the union of the last accepted transfer, and in no other."""
        found = [[one["name"] for one in clerk.client.all_pages("members")] for clerk in self.clerks]
        for name, place in self.union_of.items():
            verdict.expect("members in their union", found[place].count(name) == 1, name)
            if name in found[1 - place]:
                verdict.duplicated.append(f"member {name}, in both unions")
        came = [
            clerk.client.get("transfers", direction="in", state="accepted", size=1)["total"] for clerk in self.clerks
        ]
        verdict.compare("members transferred", self.moved, sum(came), "both unions")

    def _move(self, form: dict[str, Any]) -> None:
        old = self.union_of[form["name"]]
        leaving, joining = self.clerks[old].client, self.clerks[1 - old].client
        person = {name: form[name] for name in ("name", "document_type", "document_number")}
        transfer_id = joining.post("transfers", {**person, "reason": "到新单位工作"})["transfer_id"]
        fate = self.dice.random()
        if fate < _DECLINED:
            leaving.post(f"transfers/{transfer_id}/decline", {"remark": "会员未离职"})
        elif fate < _WITHDRAWN:
            joining.post(f"transfers/{transfer_id}/withdraw")
        else:
            leaving.post(f"transfers/{transfer_id}/accept")
            self.union_of[form["name"]] = 1 - old
            self.moved += 1


def hire_movers(office: Office, seed: int) -> Movers:
    """Creates the two unions with their clerks."""
    administrator: ApiClient = office.client().sign_in("yangpu-admin", demo_password())
    clerks = [
        Clerk(
            office, new_clerk(office, administrator, name, _UNION_SERIAL + number), 0, random.Random(f"{seed} {name}")
        )
        for number, name in enumerate(_NAMES)
    ]
    return Movers(office, clerks, random.Random(f"{seed} movers"))
