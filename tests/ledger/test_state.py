import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from p2pcommerce.ledger.state import RECENT_MAX, State, VersionedState
from p2pcommerce.primitives.errors import LocalProtocolError
from p2pcommerce.primitives.sparse_merkle import SparseMerkleTree, verify_state

KEYS = st.sampled_from([b"k%d" % number for number in range(8)])
VALUES = st.binary(min_size=1, max_size=4)


def root_of(values):
    return SparseMerkleTree.EMPTY.update(values).root


def test_a_draft_reads_through_to_its_parent_and_keeps_its_writes():
    final = VersionedState({b"a": b"1", b"b": b"2"}).final
    draft = State(final)
    draft.put(b"a", b"9")
    draft.remove(b"b")
    assert (draft.get(b"a"), draft.get(b"b"), draft.get(b"c")) == (b"9", None, None)
    assert (final.get(b"a"), final.get(b"b")) == (b"1", b"2")
    assert draft.changes == {b"a": b"9", b"b": None}


def test_removing_an_absent_key_does_nothing():
    draft = State(VersionedState({}).final)
    draft.remove(b"a")
    assert draft.changes == {}


def test_a_rollback_undoes_everything_since_its_savepoint():
    draft = State(VersionedState({b"a": b"1"}).final)
    draft.put(b"a", b"2")
    mark = draft.savepoint()
    draft.put(b"a", b"3")
    draft.put(b"a", b"4")
    draft.remove(b"a")
    draft.put(b"b", b"5")
    draft.rollback(mark)
    assert draft.changes == {b"a": b"2"}
    draft.rollback(0)
    assert draft.changes == {}
    assert draft.get(b"a") == b"1"


def test_the_root_is_that_of_the_whole_state():
    state = VersionedState({b"a": b"1", b"b": b"2"})
    assert state.final.root == root_of({b"a": b"1", b"b": b"2"})
    child = state.final.child({b"a": None, b"c": b"3"})
    assert child.root == root_of({b"b": b"2", b"c": b"3"})
    assert state.final.root == root_of({b"a": b"1", b"b": b"2"})


def test_a_version_proves_what_it_holds_and_what_it_lacks():
    version = VersionedState({b"a": b"1", b"b": b"2"}).final.child({b"c": b"3"})
    for key in (b"a", b"c", b"d"):
        assert verify_state(version.root, key, version.get(key), version.tree.prove(key))
    assert not verify_state(version.root, b"a", b"2", version.tree.prove(b"a"))


def test_versions_on_one_parent_do_not_see_each_other():
    state = VersionedState({b"a": b"1"})
    left, right = state.final.child({b"a": b"2"}), state.final.child({b"b": b"3"})
    grandchild = left.child({b"a": None})
    assert (left.get(b"a"), right.get(b"a"), grandchild.get(b"a")) == (b"2", b"1", None)
    assert (left.get(b"b"), right.get(b"b")) == (None, b"3")


def test_a_final_version_is_folded_into_the_final_state():
    state = VersionedState({b"a": b"1", b"b": b"2"})
    child = state.final.child({b"a": b"9", b"b": None})
    grandchild = child.child({b"c": b"3"})
    state.finalize(child)
    assert dict(state) == state.values == {b"a": b"9"}
    assert state.final is child
    assert child.changes == {}
    assert (grandchild.get(b"a"), grandchild.get(b"b"), grandchild.get(b"c")) == (b"9", None, b"3")
    state.finalize(grandchild)
    assert state.values == {b"a": b"9", b"c": b"3"}
    assert state.final.root == root_of(state.values)


def test_only_a_child_of_the_final_version_becomes_final():
    state = VersionedState({b"a": b"1"})
    child, sibling = state.final.child({b"a": b"2"}), state.final.child({b"a": b"3"})
    grandchild = child.child({})
    with pytest.raises(LocalProtocolError, match="child of the final"):
        state.finalize(grandchild)
    state.finalize(child)
    for wrong in (sibling, child):
        with pytest.raises(LocalProtocolError):
            state.finalize(wrong)
    assert state.values == {b"a": b"2"}


def test_loading_copies_the_values_given():
    values = {b"a": b"1"}
    state = VersionedState(values)
    state.finalize(state.final.child({b"a": b"2"}))
    assert values == {b"a": b"1"}


def test_the_final_state_is_a_map_that_follows_it():
    state = VersionedState([(b"a", b"1"), (b"b", b"2")])
    values = state.values
    assert (values[b"a"], values.get(b"c"), len(values), b"b" in values) == (b"1", None, 2, True)
    with pytest.raises(KeyError):
        values[b"c"]
    state.finalize(state.final.child({b"a": None, b"c": b"3"}))
    assert dict(values) == dict(values.items()) == {b"b": b"2", b"c": b"3"}
    assert sorted(values) == [b"b", b"c"]


def test_few_values_of_the_final_state_are_remembered_beside_its_tree():
    state = VersionedState((b"%d" % number, b"v") for number in range(3 * RECENT_MAX))
    for number in range(4 * RECENT_MAX):
        assert state.get(b"%d" % number) == (b"v" if number < 3 * RECENT_MAX else None)
        assert len(state._recent) + len(state._older) <= 2 * RECENT_MAX
    state.finalize(state.final.child({b"0": b"w"}))
    assert state.get(b"0") == b"w"
    for number in range(RECENT_MAX, 3 * RECENT_MAX):  # what is forgotten is read from the tree again
        state.get(b"%d" % number)
    assert b"0" not in state._recent
    assert b"0" not in state._older
    assert state.get(b"0") == b"w"


class StateMachine(RuleBasedStateMachine):
    """A chain of versions and a draft on the last, against plain dictionaries."""

    def __init__(self):
        super().__init__()
        self.state = VersionedState({b"k0": b"0"})
        self.versions = []
        self.models = [{b"k0": b"0"}]
        self.start_draft()

    def start_draft(self):
        self.draft = State(self.versions[-1] if self.versions else self.state.final)
        self.model = dict(self.models[-1])
        self.marks = []

    @rule(key=KEYS, value=VALUES)
    def put(self, key, value):
        self.draft.put(key, value)
        self.model[key] = value

    @rule(key=KEYS)
    def remove(self, key):
        self.draft.remove(key)
        self.model.pop(key, None)

    @rule()
    def savepoint(self):
        self.marks.append((self.draft.savepoint(), dict(self.model)))

    @rule()
    def rollback(self):
        if self.marks:
            mark, self.model = self.marks.pop()
            self.draft.rollback(mark)

    @rule()
    def end_block(self):
        parent = self.versions[-1] if self.versions else self.state.final
        self.versions.append(parent.child(self.draft.changes))
        self.models.append(self.model)
        self.start_draft()

    @rule()
    def finalize(self):
        if self.versions:
            self.state.finalize(self.versions.pop(0))
            self.models.pop(0)

    @invariant()
    def every_version_is_its_model(self):
        assert self.state.values == self.models[0]
        for version, model in zip([self.state.final, *self.versions], self.models, strict=True):
            assert {key: version.get(key) for key in model} == model
            assert version.root == root_of(model)
        for number in range(8):
            assert self.draft.get(b"k%d" % number) == self.model.get(b"k%d" % number)


TestStateMachine = StateMachine.TestCase
TestStateMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
