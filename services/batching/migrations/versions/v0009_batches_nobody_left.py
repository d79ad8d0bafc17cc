"""A batch whose approved revocation released nobody no longer shows as revoked.

Revision: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"

CLOSE = """
update batch set revocation_state = 'closed'
where revocation_state = 'approved' and not exists (
    select from application
    where application.batch_no = batch.batch_no and (
        application.state in ('submitted', 'released')
        or application.state = 'issued' and (application.version - (batch.channel = 'special')::int) % 2 = 1
    )
)
"""
"""A card that came after the release leaves no other trace than one more step: an application's version is odd or even
by its channel, as each switch is a step, and then counts the submission, the release and the card."""


def upgrade() -> None:
    """Closes the revocations that freed nobody."""
    op.execute(CLOSE)


def downgrade() -> None:
    """Shows them as approved, which the superior union's decision was; the earlier release knows no other."""
    op.execute("update batch set revocation_state = 'approved' where revocation_state = 'closed'")
