"""Cards after they are made, and the reports about them.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op

from services.kit.data.database import EncryptedText

revision = "0016"
down_revision = "0015"

CARDS_OF_ISSUED = """
insert into card (
    application_id, member_id, union_id, union_name, superior_ids, card_no, card_digest, made_at
)
select application_id, member_id, application.union_id, union_name, superior_ids, card_no, card_digest, decided_at
from application join batch using (batch_no)
where state = 'issued' and not exists (select from card where card.application_id = application.application_id)
"""
OF_APPLICATIONS = """
alter table {table} add constraint fk_{table}_application_id
    foreign key (application_id) references application (application_id) not valid
"""
"""Not valid for rows from before it: to read them all would keep people from working."""
MAKE_CARD = """
create function make_card() returns trigger language plpgsql as $$
begin
    insert into card (
        application_id, member_id, union_id, union_name, superior_ids, card_no, card_digest, made_at
    )
    select new.application_id, new.member_id, new.union_id, union_name, superior_ids, new.card_no, new.card_digest,
        new.decided_at
    from batch where batch_no = new.batch_no
    on conflict (application_id) do nothing;
    return null;
end $$
"""
WITH_THE_ISSUE = """
create trigger issued_application_has_a_card after update of state on application
    for each row when (new.state = 'issued' and old.state <> 'issued') execute function make_card()
"""


CARD = sa.Table(
    "card",
    sa.MetaData(),
    sa.Column("application_id", sa.Uuid(), nullable=False),
    sa.Column("member_id", sa.Uuid(), nullable=False),
    sa.Column("union_id", sa.Uuid(), nullable=False),
    sa.Column("union_name", sa.String(), nullable=False),
    sa.Column("superior_ids", sa.ARRAY(sa.Uuid()), nullable=False, server_default="{}"),
    sa.Column("status", sa.String(), nullable=False, server_default="made"),
    sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("card_no", EncryptedText(), nullable=False),
    sa.Column("card_digest", sa.LargeBinary(), nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    *(
        sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        for name in ("collected_at", "activated_at", "lost_at", "closed_at")
    ),
    sa.Column("collected_by", sa.Uuid(), nullable=True),
    sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("unreachable", sa.Boolean(), nullable=False, server_default="false"),
    sa.PrimaryKeyConstraint("application_id", name="pk_card"),
    sa.UniqueConstraint("card_digest", name="uq_card_card_digest"),
)


def prepare(connection: sa.Connection) -> None:
    """Copies the cards of issued applications while people work."""
    CARD.create(connection, checkfirst=True)
    connection.execute(sa.text(CARDS_OF_ISSUED))


def upgrade() -> None:
    """The cards of issued applications exist from now on, also of those that the former release issues meanwhile.

    Applications are locked only for those cards that were issued since the others were copied.
    """
    op.create_index(
        "uq_card_in_use_member_id", "card", ["member_id"], unique=True, postgresql_where="status <> 'closed'"
    )
    op.create_index("ix_card_union_id_status", "card", ["union_id", "status", "made_at", "application_id"])
    op.create_index("ix_card_made_at", "card", ["made_at", "application_id"])
    op.create_index("ix_card_superior_ids", "card", ["superior_ids"], postgresql_using="gin")
    op.create_index(
        "ix_card_to_remind", "card", ["made_at"], postgresql_where="status = 'made' and reminded_at is null"
    )
    op.create_table(
        "card_report",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("card_digest", sa.LargeBinary(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("new_card_no", EncryptedText(), nullable=True),
        sa.Column("new_card_digest", sa.LargeBinary(), nullable=True),
        sa.Column("feedback_id", sa.String(), nullable=True),
        sa.Column("reported_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_card_report"),
        sa.UniqueConstraint("new_card_digest", name="uq_card_report_new_card_digest"),
    )
    op.create_index("uq_card_report_step", "card_report", ["application_id", "card_digest", "step"], unique=True)
    op.create_index(
        "uq_card_report_successor",
        "card_report",
        ["application_id", "card_digest"],
        unique=True,
        postgresql_where="new_card_digest is not null",
    )
    op.create_index("ix_card_report_early", "card_report", ["application_id"], postgresql_where="version is null")
    op.execute(MAKE_CARD)
    op.execute("lock table application in share row exclusive mode")
    op.execute(WITH_THE_ISSUE)
    op.execute(CARDS_OF_ISSUED)
    for table in ("card", "card_report"):
        op.execute(OF_APPLICATIONS.format(table=table))
    op.add_column("branch", sa.Column("union_hands_out", sa.Boolean(), nullable=False, server_default="false"))
    op.alter_column("bank_feedback", "batch_no", nullable=True)


def downgrade() -> None:
    """Forgets them."""
    op.execute("drop trigger issued_application_has_a_card on application")
    op.execute("drop function make_card()")
    op.drop_table("card_report")
    op.drop_table("card")
    op.execute("delete from bank_feedback where batch_no is null")
    op.alter_column("bank_feedback", "batch_no", nullable=False)
    op.drop_column("branch", "union_hands_out")
