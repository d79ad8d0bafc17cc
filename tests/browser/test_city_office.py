"""The city's pages: branches and outlets 网点管理, announcements 通知公告, guides 新手指引."""

from playwright.sync_api import expect

from tests.browser.accessibility import serious_findings
from tests.browser.conftest import NewPage, PageOf
from tests.desks import Desk


def test_an_outlet_that_the_city_adds_can_be_chosen_until_it_is_closed(page_of: PageOf, desk: Desk) -> None:
    city = page_of("city")
    name = f"测试路支行{desk.number}"
    city.goto("/outlets")
    city.get_by_role("button", name="新增经办网点").click()
    dialog = city.get_by_role("dialog", name="新增经办网点")
    dialog.get_by_label("网点名称").fill(name)
    dialog.get_by_label("所在区").fill("杨浦区")
    dialog.get_by_label("地址").fill("上海市杨浦区测试路1号")
    dialog.get_by_role("combobox", name="发卡支行").press("Enter")
    city.get_by_role("option", name="中国工商银行上海市分行").click()
    dialog.get_by_label("网点代码").fill(f"test-{desk.number}")
    dialog.get_by_label("联系电话").fill("021-65556666")
    assert serious_findings(city) == []
    dialog.get_by_role("button", name="新增").click()
    expect(city.get_by_text("经办网点已新增")).to_be_visible()
    assert [outlet["name"] for outlet in desk.clerk.get("outlets", q=name)["items"]] == [name]

    city.get_by_label("查找网点").fill(name)
    city.get_by_role("button", name="搜索").click()
    city.get_by_role("button", name=f"停用：{name}").click()
    expect(city.get_by_text("已提交的办卡批次不受影响")).to_be_visible()
    city.get_by_role("dialog", name="停用经办网点").get_by_role("button", name="停用").click()

    expect(city.get_by_role("button", name=f"启用：{name}")).to_be_visible()
    assert serious_findings(city) == []
    assert desk.clerk.get("outlets", q=name)["items"] == []


def test_a_bank_that_the_city_gives_its_own_cut_off_day_counts_by_it(page_of: PageOf, desk: Desk) -> None:
    name = f"测试银行{desk.number}"
    city = page_of("city")
    city.goto("/outlets")
    city.get_by_role("button", name="新增发卡支行").click()
    dialog = city.get_by_role("dialog", name="新增发卡支行")
    dialog.get_by_label("支行代码").fill(f"bank-{desk.number}")
    dialog.get_by_label("支行名称").fill(name)
    dialog.get_by_label("每月截止日").fill("32")
    dialog.get_by_role("button", name="新增").click()
    expect(dialog).to_contain_text("请填写 1 至 31 的数字")
    dialog.get_by_label("每月截止日").fill("31")
    assert serious_findings(city) == []
    dialog.get_by_role("button", name="新增").click()
    expect(city.get_by_text("发卡支行已新增")).to_be_visible()

    branch = next(one for one in desk.clerk.get("branches")["items"] if one["name"] == name)
    assert branch["cut_off_day"] == 31
    assert branch["counting"]["last_day"].startswith(branch["counting"]["month"])


def test_an_announcement_with_a_file_is_published_edited_and_withdrawn(page_of: PageOf, desk: Desk) -> None:
    city = page_of("city")
    title = f"关于测试的通知{desk.number}"
    city.goto("/announcements")
    city.get_by_role("button", name="发布通知公告").click()
    city.get_by_label("标题").fill(title)
    city.get_by_label("内容").fill("请各单位知悉。")
    city.get_by_role("dialog").get_by_text("登录页").click()
    city.get_by_label("选择附件").set_input_files({"name": "附件.txt", "mimeType": "text/plain", "buffer": b"attached"})
    assert serious_findings(city) == []
    city.get_by_role("button", name="发布", exact=True).click()
    expect(city.get_by_text("通知公告已发布")).to_be_visible()
    (shown,) = [one for one in desk.clerk.get("announcements")["items"] if one["title"] == title]
    assert shown["places"] == ["workbench"]
    assert [file["file_name"] for file in shown["attachments"]] == ["附件.txt"]

    city.get_by_role("button", name=f"修改：{title}").click()
    city.get_by_role("button", name="移除附件：附件.txt").click()
    city.get_by_role("button", name="保存").click()
    expect(city.get_by_text("通知公告已修改")).to_be_visible()
    assert desk.clerk.get(f"announcements/{shown['announcement_id']}")["attachments"] == []

    city.get_by_role("button", name=f"撤回：{title}").click()
    city.get_by_role("dialog", name="撤回通知公告").get_by_role("button", name="撤回").click()
    expect(city.get_by_role("cell", name=title)).to_have_count(0)
    assert title not in [one["title"] for one in desk.clerk.get("announcements")["items"]]


def test_a_guide_stands_where_the_city_puts_it(new_page: NewPage, page_of: PageOf, desk: Desk) -> None:
    city = page_of("city")
    title = f"测试指引{desk.number}"
    city.goto("/guides")
    city.get_by_role("button", name="发布新手指引").click()
    city.get_by_label("标题").fill(title)
    city.get_by_label("内容").fill("请观看视频。")
    city.get_by_label("视频地址").fill("https://video.example/1")
    assert serious_findings(city) == []
    city.get_by_role("button", name="发布", exact=True).click()
    expect(city.get_by_role("link", name=f"打开视频：{title}")).to_have_attribute("href", "https://video.example/1")
    assert title in [guide["title"] for guide in desk.clerk.get("guides")["items"]]
    for tab, address in ((new_page(), "/sign-in"), (page_of(desk.clerk), "/")):
        tab.goto(address)
        video = tab.get_by_role("list", name="查看视频").get_by_role("link", name=title)
        expect(video).to_have_attribute("href", "https://video.example/1")
        expect(video).to_have_attribute("target", "_blank")
        expect(video).to_have_attribute("rel", "noopener noreferrer")
        expect(tab.get_by_role("list", name="操作说明")).not_to_contain_text(title)

    city.get_by_role("button", name=f"撤回：{title}").click()
    city.get_by_role("dialog", name="撤回新手指引").get_by_role("button", name="撤回").click()

    expect(city.get_by_role("cell", name=title)).to_have_count(0)


def test_a_district_s_administrator_has_no_page_for_what_the_city_keeps(page_of: PageOf) -> None:
    office = page_of("yangpu-admin")

    office.goto("/outlets")

    expect(office.get_by_role("heading", name="页面不存在")).to_be_visible()
    expect(office.get_by_role("link", name="账号管理")).to_be_visible()
    expect(office.get_by_role("link", name="网点管理")).to_have_count(0)
