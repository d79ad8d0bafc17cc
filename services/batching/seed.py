"""Demo data: branches of four banks in Shanghai and their outlets; `python -m services.batching.seed` adds them."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.batching.models import Branch, Outlet
from services.kit.data.database import engine_for
from services.kit.settings import DatabaseSettings, read_settings, refuse_production, run_program

BRANCHES = (
    ("icbc-sh", "中国工商银行上海市分行", "gb18030"),
    ("ccb-sh", "中国建设银行上海市分行", "gb18030"),
    ("bocom-sh", "交通银行上海市分行", "gbk"),
    ("bosc-sh", "上海银行股份有限公司", "gb2312"),
)
OUTLETS = (
    (
        "icbc-yp-01",
        "icbc-sh",
        "工商银行国华支行",
        "上海市杨浦区闸殷路1555号国华广场102室",
        "杨浦区",
        "021-65480101",
    ),
    ("icbc-yp-02", "icbc-sh", "工商银行五角场支行", "上海市杨浦区四平路2500号", "杨浦区", "021-65480102"),
    ("icbc-pd-01", "icbc-sh", "工商银行陆家嘴支行", "上海市浦东新区浦东大道9号", "浦东新区", "021-58880101"),
    ("ccb-yp-01", "ccb-sh", "建设银行黄兴路支行", "上海市杨浦区黄兴路1599号", "杨浦区", "021-65480201"),
    ("ccb-ja-01", "ccb-sh", "建设银行南京西路支行", "上海市静安区南京西路1728号", "静安区", "021-62480201"),
    ("ccb-mh-01", "ccb-sh", "建设银行莘庄支行", "上海市闵行区莘松路58号", "闵行区", "021-64920201"),
    ("bocom-cn-01", "bocom-sh", "交通银行古北路支行", "上海市长宁区古北路555弄8号", "长宁区", "021-62750301"),
    ("bocom-xh-01", "bocom-sh", "交通银行徐家汇支行", "上海市徐汇区虹桥路188号", "徐汇区", "021-64070301"),
    ("bocom-hk-01", "bocom-sh", "交通银行四川北路支行", "上海市虹口区四川北路1666号", "虹口区", "021-63250301"),
    ("bosc-yp-01", "bosc-sh", "上海银行控江路支行", "上海市杨浦区控江路1698号", "杨浦区", "021-65480401"),
    ("bosc-hp-01", "bosc-sh", "上海银行淮海路支行", "上海市黄浦区淮海中路808号", "黄浦区", "021-63840401"),
    ("bosc-pd-01", "bosc-sh", "上海银行世纪大道支行", "上海市浦东新区世纪大道1090号", "浦东新区", "021-58350401"),
)


def seed(session: Session) -> None:
    """Adds what is missing."""
    branches = [dict(zip(("code", "name", "charset"), branch, strict=True)) for branch in BRANCHES]
    session.execute(insert(Branch).on_conflict_do_nothing(), branches)
    names = ("code", "branch_code", "name", "address", "district", "phone")
    outlets = [dict(zip(names, outlet, strict=True)) for outlet in OUTLETS]
    session.execute(insert(Outlet).on_conflict_do_nothing(), outlets)


def main() -> None:
    """Seeds the database."""
    refuse_production("demo branches")
    with Session(engine_for(read_settings(DatabaseSettings), "batching seed")) as session, session.begin():
        seed(session)


if __name__ == "__main__":
    run_program(main)
