"""Which month a submission counts for: shown with each outlet before, kept by the batch, by the bank's own dates."""

from datetime import date, timedelta

from deploy.local.client import ApiClient
from deploy.local.stack import Stack
from services.contracts.values import today
from services.membership.seed import demo_password
from tests.desks import a_desk, people


def test_a_batch_counts_for_the_month_that_its_outlet_showed_by_its_banks_own_dates(stack: Stack) -> None:
    desk = a_desk(stack.gateway_url)
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    code = f"cut-{desk.number}"
    day = today()
    tomorrow = day + timedelta(days=1)
    own = [str(day)] if tomorrow.month == day.month else []
    made = {"code": code, "name": f"早截止银行{desk.number}", "charset": "gb18030", "cut_off_dates": own}
    city.post("branches", {**made, "cut_off_day": 31})
    place = {"name": "早截止支行", "address": "上海市杨浦区测试路1号", "district": "杨浦区", "phone": "021-65556666"}
    city.post("outlets", {"code": f"{code}-1", "branch_code": code, **place})

    [outlet] = desk.clerk.get("outlets", branch_code=code)["items"]
    assert outlet["counting"]["month"] == f"{day:%Y-%m}"
    assert date.fromisoformat(outlet["counting"]["last_day"]) >= day
    desk.register(*people(1))
    desk.queue_all()
    desk.check_all()
    consent = desk.clerk.get("consent-text")["version"]
    batch = desk.clerk.post(
        "batches",
        {
            "channel": "ordinary",
            "branch_code": code,
            "outlet_code": outlet["code"],
            "contact_name": "王芳",
            "contact_phone": "13812345678",
            "consent_version": consent,
        },
    )
    assert batch["count_month"] == outlet["counting"]["month"]

    city.patch(f"branches/{code}", {"cut_off_day": 1, "cut_off_dates": []})
    [later] = desk.clerk.get("outlets", branch_code=code)["items"]
    assert (later["counting"]["month"] > batch["count_month"]) == (day.day > 1)
    assert desk.clerk.get(f"batches/{batch['batch_no']}")["count_month"] == batch["count_month"]
