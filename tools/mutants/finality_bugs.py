"""Deliberate bugs of finality: votes, what is durable, coming back, delivery and liveness."""

from __future__ import annotations

from campaigns import CRASHES, DOUBLES, EQUIVOCATE, FAR_WILD, FORGE, HALVES, MUTE, QUIET, ROUGH, STAKES, WILD
from plants import Edit, Mutant

VOTING = "finality/voting.py"
REPLICA = "finality/simplex/replica.py"
INBOX = "finality/simplex/inbox.py"
JUSTIFY = "finality/simplex/misjustified.py"
SIGNER = "finality/signer.py"
RECOVERY = "finality/recovery.py"
CERTIFICATES = "finality/certificates.py"

BUGS = (
    # --- votes ---
    Mutant(
        "quorum_low",
        "a quorum is two thirds of the stake, not more",
        HALVES,
        (Edit("ledger/validators.py", "VoteWeight(2 * total // 3 + 1)", "VoteWeight(2 * total // 3)"),),
    ),
    Mutant(
        "stake_as_heads",
        "votes and quorums count heads, not stake",
        STAKES,
        (
            Edit("ledger/validators.py", "VoteWeight(2 * total // 3 + 1)", "VoteWeight(2 * count // 3 + 1)"),
            Edit(
                CERTIFICATES,
                "weight = sum(members[index].stake for index in certificate.signers)",
                "weight = len(certificate.signers)",
            ),
            Edit(
                "finality/simplex/pool.py",
                "sum(members[voter].stake for voter in voters)",
                "len(members and [*voters])",
            ),
            Edit(
                RECOVERY,
                "sum(validators.validators[index].stake for index in self._answered)",
                "len(validators and self._answered)",
            ),
        ),
    ),
    Mutant(
        "f_after_z",
        "F for a view that the voter has given up",
        ROUGH,
        (Edit(VOTING, "above = nullified is None or ballot.view > nullified.view", "above = True"),),
    ),
    Mutant(
        "z_ignores_f",
        "Z from below the voter's own F",
        ROUGH,
        (
            Edit(VOTING, "return ballot.anchor >= finalized.view", "return True"),
            Edit(
                REPLICA,
                "anchor = max(state.held.highest_view, state.signer.last_view(VoteKind.FINALIZE))",
                "anchor = state.held.final_view",
            ),
        ),
    ),
    Mutant(
        "n_after_z",
        "N in a view that the voter has given up",
        ROUGH,
        (
            Edit(
                REPLICA,
                "return max(signer.last_view(VoteKind.NOTARIZE), signer.last_view(VoteKind.NULLIFY)) >= view",
                "return signer.last_view(VoteKind.NOTARIZE) >= view",
            ),
        ),
    ),
    Mutant(
        "n_twice",
        "N for two blocks of one view",
        EQUIVOCATE,
        (
            Edit(VOTING, "(same is None or ballot.view > same.view)", "(same is None or ballot.view >= same.view)"),
            Edit(
                REPLICA,
                "return max(signer.last_view(VoteKind.NOTARIZE), signer.last_view(VoteKind.NULLIFY)) >= view",
                "return signer.last_view(VoteKind.NULLIFY) >= view",
            ),
            Edit(
                REPLICA,
                "                state.signer.cast(ballot)\n                return",
                "                state.signer.cast(ballot)",
            ),
        ),
    ),
    Mutant(
        "f_against_n",
        "F for another block than the voter's own N",
        EQUIVOCATE,
        (
            Edit(VOTING, "return above and (notarized is None or _above_or_same(ballot, notarized))", "return above"),
            Edit(VOTING, "return _above_or_same(ballot, finalized)", "return True"),
        ),
    ),
    Mutant(
        "justify_unchecked",
        "N for a proposal whose justify does not allow its parent",
        WILD,
        (
            Edit(
                JUSTIFY,
                "    if parent is None:\n        is_parent = seal.parent_view == 0",
                "    if header.height > 0:\n        return True\n"
                "    if parent is None:\n        is_parent = seal.parent_view == 0",
            ),
        ),
    ),
    Mutant(
        "justify_anchor",
        "a nullification justifies a parent below what its signers had seen",
        FAR_WILD,
        (Edit(JUSTIFY, " and skip.anchor <= seal.parent_view", ""),),
    ),
    Mutant(
        "justify_no_skip",
        "a parent is justified without the nullification of the views between",
        WILD,
        (
            Edit(
                JUSTIFY,
                "    if seal.parent_view == seal.view - 1:",
                "    if seal.parent_view == seal.view - 1 or skip is None:",
            ),
        ),
    ),
    Mutant(
        "certificate_weight",
        "a certificate counts whatever its signers weigh",
        FORGE,
        (Edit(CERTIFICATES, "if weight < self.validators.quorum:", "if weight < 1:"),),
    ),
    Mutant(
        "certificate_signatures",
        "the signatures of a certificate are not verified",
        FORGE,
        (
            Edit(
                CERTIFICATES,
                "if not self.is_good(index, certificate.ballot(position), signature):",
                "if index < position or len(signature) != 64:",
            ),
        ),
    ),
    Mutant(
        "no_chain_id",
        "signed bytes do not name the network",
        QUIET,
        (
            Edit(
                "primitives/crypto.py",
                'return b"p2pcommerce/1/" + kind.encode("ascii") + b"\\x00" + genesis_hash',
                'return b"p2pcommerce/1/" + kind.encode("ascii") + b"\\x00" + bytes(32)',
            ),
        ),
    ),
    Mutant(
        "parents_any",
        "a leader builds below what the nullification's signers had seen",
        WILD,
        (Edit("finality/simplex/held.py", "if view >= max(lowest, self.final_view):", "if view >= self.final_view:"),),
    ),
    Mutant(
        "evidence_never_found",
        "a node that hears a validator vote twice accuses nobody",
        DOUBLES,
        (
            Edit(
                "finality/evidence.py",
                "    if one.epoch != other.epoch:\n        return None",
                "    if one.epoch >= 0:\n        return None",
            ),
        ),
    ),
    Mutant(
        "votes_never_pruned",
        "votes of views that are decided are kept for ever",
        QUIET,
        (Edit("finality/simplex/pool.py", "if key[0] < low]:", "if key[0] < 0]:"),),
    ),
    # --- what is durable, and coming back ---
    Mutant(
        "votes_not_logged",
        "an own vote is sent and not in the log",
        CRASHES,
        (
            Edit(
                SIGNER,
                "        self._out.append(Persist(self._log.own(message)))\n        self._ask",
                "        self._ask",
            ),
        ),
    ),
    Mutant(
        "bodies_not_logged",
        "N for a block whose body is not in the log",
        CRASHES,
        (
            Edit(
                "finality/tree.py",
                "        self._out.append(PersistBlock(block_hash))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "guard_not_saved",
        "a signature is made before the guard has saved it",
        CRASHES,
        (Edit("finality/guard.py", "return encode(_FRAME, frame)\n\n    def frames", 'return b""\n\n    def frames'),),
    ),
    Mutant(
        "votes_not_restored",
        "own votes are forgotten at a restart",
        CRASHES,
        (Edit(SIGNER, "for message in [*lost, *logged]:", "for message in logged[:0]:"),),
    ),
    Mutant(
        "status_quorum_skipped",
        "after a restart a validator signs before a quorum has answered",
        CRASHES,
        (
            Edit(
                RECOVERY,
                "sum(validators.validators[index].stake for index in self._answered) < validators.quorum",
                "not self._answered",
            ),
        ),
    ),
    Mutant(
        "leader_proposes_anew",
        "a leader that restarts makes a second proposal in its view",
        CRASHES,
        (
            Edit(VOTING, "(same is None or ballot.view > same.view)", "(same is None or ballot.view >= same.view)"),
            Edit(
                REPLICA,
                "if self._is_spent(view) or state.signer.last_view(VoteKind.PROPOSE) >= view:",
                "if self._requests and (self._is_spent(view) or state.signer.last_view(VoteKind.PROPOSE) >= view):",
            ),
            Edit(REPLICA, "elif view != building.view or self._is_spent(view):", "elif view != building.view:"),
        ),
    ),
    Mutant(
        "log_not_synced",
        "what was written counts as durable before its sync",
        CRASHES,
        (
            Edit(
                "simulation/disk_queue.py",
                "            self._owner.later(self._sync_us(), self._sync_log, batch)\n",
                "            self._do(batch)\n",
            ),
        ),
    ),
    # --- delivery and liveness ---
    Mutant(
        "ancestors_skipped",
        "a final block is delivered without its ancestors",
        ROUGH,
        (
            Edit(
                REPLICA,
                "for position, header in enumerate(headers):",
                "for position, header in enumerate(headers[-1:]):",
            ),
        ),
    ),
    Mutant(
        "never_resent",
        "nothing is ever sent again",
        ROUGH,
        (
            Edit(
                "finality/simplex/resend.py",
                "        for message in self._everything():\n            state.send(Target.",
                "        for message in ():\n            state.send(Target.",
            ),
            Edit(
                "finality/simplex/resend.py",
                "            for message in self._everything():\n                state.send(peer",
                "            for message in ():\n                state.send(peer",
            ),
            Edit(
                "finality/simplex/resend.py",
                "            if due <= now:\n                self._relay(certificate)",
                "            if due <= now:\n                pass",
            ),
        ),
    ),
    Mutant(
        "views_never_end",
        "no validator gives up a view because it takes too long",
        MUTE,
        (
            Edit(
                REPLICA,
                "return pace.advance_at if self.state.held.view in self.state.proposals else pace.leader_at",
                "return pace.leader_at if pace.started is None else None",
            ),
        ),
    ),
)
