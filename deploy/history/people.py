"""The people who join a union in the past, as a clerk fills them in."""

from random import Random

from deploy.local.demo_people import Person, with_expired_document, working_person

_RARE_NAMES = ("王𬎆", "陈䶮", "李𬭎", "张𣇉")
_FOREIGNERS = (("SMITH JOHN", "GBR"), ("TANAKA KENJI", "JPN"), ("MUELLER ANNA", "DEU"))


def newcomers(dice: Random, number: int) -> list[Person]:
    """So many people; some have a document that has expired, a rare character in their name, or a passport."""
    return [_newcomer(dice) for _ in range(number)]


def _newcomer(dice: Random) -> Person:
    person = working_person(dice)
    kind = dice.random()
    if kind < 0.06:
        return with_expired_document(person)
    if kind < 0.10:
        person.name = dice.choice(_RARE_NAMES)
    elif kind < 0.13:
        person.name, person.nationality = dice.choice(_FOREIGNERS)
        person.document_type, person.document_number = "护照", f"X{dice.randrange(10**8):08d}"
        person.document_expiry = "2033-05-01"
    return person
