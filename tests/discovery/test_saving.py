from p2pcommerce.discovery import DiscoveryParameters
from p2pcommerce.discovery.saving import Saving
from tests.discovery.people import SECOND, START


def test_a_book_is_saved_a_minute_after_the_first_change():
    saving = Saving(DiscoveryParameters(), [])
    assert not saving.take(START)
    saving.on_change(START)
    saving.on_change(START + 30 * SECOND)
    assert saving.due_us == START + 60 * SECOND
    assert not saving.take(START + 59 * SECOND)
    assert saving.take(START + 60 * SECOND)
    assert not saving.take(START + 600 * SECOND)


def test_a_large_book_is_saved_less_often():
    saving = Saving(DiscoveryParameters(), range(20_480))
    saving.on_change(START)
    assert saving.due_us == START + 600 * SECOND
