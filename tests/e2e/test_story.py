"""The manual's story from sign-in to the bank's feedback, over the public interfaces of a whole stack."""

from deploy.local.demo import tell_story
from deploy.local.stack import Stack


def test_the_whole_story_goes_as_the_manual_shows(stack: Stack) -> None:
    assert tell_story(stack, seed=20_240_913) == 0
