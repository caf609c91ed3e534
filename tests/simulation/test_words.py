"""Events of a trace in words."""

from p2pcommerce.finality.simplex.messages import Answer, Status, decode_message, encode_message
from p2pcommerce.finality.voting import Ballot, VoteKind, anchor_hash
from p2pcommerce.simulation.options import WorldOptions
from p2pcommerce.simulation.words import words_of
from p2pcommerce.simulation.world import World
from p2pcommerce.wire.messages import Engine

from .worlds import SECOND, run, scenario


def test_a_signature_is_told_by_what_was_signed():
    assert (
        words_of("sign", Ballot(0, 7, VoteKind.FINALIZE, bytes([171]) * 32).data) == "FINALIZE view 7, block abababab"
    )
    assert words_of("sign", Ballot(0, 7, VoteKind.NULLIFY, anchor_hash(5)).data) == "NULLIFY view 7, from view 5"


def test_what_cannot_be_read_has_no_words():
    assert words_of("sign", b"?") == ""
    assert words_of("Engine", b"\xff\x00") == ""
    assert words_of("final", bytes(64)) == ""


def test_every_message_of_the_engine_has_words():
    heard = {}

    def watch(kind, _time, _node, about):
        if kind == "send" and isinstance(about[2], Engine):
            heard.setdefault(type(decode_message(about[2].data)), words_of("Engine", about[2].data))

    spec = scenario(3, seconds=12, faults={"loss": 0.2, "crash": 0.1})
    run(World(spec, WorldOptions(watcher=watch)))
    heard[Status] = words_of("Engine", encode_message(Status(0, 9, 7, 8, 1)))
    heard[Answer] = words_of("Engine", encode_message(Answer(0, 1, ())))
    assert {kind.__name__ for kind in heard} == {"Cast", "Certificates", "Proposal", "Status", "Answer"}
    assert heard[Status] == "stands in view 9, final 7, notarized 8, asks for its own votes"
    assert heard[Answer] == "answers with 0 votes of the asker"
    assert all(heard.values())


def test_the_tail_of_a_world_names_votes_and_blocks():
    world = run(World(scenario(3, seconds=4, liveness=0)))
    assert world.now_us == 4 * SECOND
    tail = "\n".join(world.trace.tail())
    assert "votes NOTARIZE view" in tail
    assert "sign  FINALIZE view" in tail
