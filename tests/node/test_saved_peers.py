"""The file of peers holds book and scores, and that of an older version is read."""

from hypothesis import given
from hypothesis import strategies as st

from p2pcommerce.node.saved_peers import join_peers, split_peers


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_book_and_scores_are_read_as_written(book, scores):
    assert split_peers(join_peers(book, scores)) == (book, scores)


def test_a_file_of_an_older_version_is_a_book():
    assert split_peers(b"whatever a book is") == (b"whatever a book is", None)


@given(st.binary(max_size=20))
def test_a_file_that_is_cut_is_read_without_an_error_of_its_own(data):
    book, scores = split_peers(b"p2peers\x02" + data)
    assert scores is not None
    assert len(book) + len(scores) <= len(data)
