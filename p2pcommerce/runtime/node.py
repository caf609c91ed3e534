"""`open_node`: a node that runs as long as its context is open.

    async with p2p.open_node(config) as node:
        tx_id = await node.submit(payment)
        receipt = await node.wait_finalized(tx_id)

Leaving the context stops everything within a second: connections, tasks, files. What was final is stored; what was
voted is in the log. An error of the application comes out of the context as it was raised; one that stops the node
comes out as that one error, not in a group.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from p2pcommerce.finality.engine import FinalityEngine
from p2pcommerce.ledger.application import Application
from p2pcommerce.mempool import Verifier
from p2pcommerce.node.resources import ResourceLimits
from p2pcommerce.primitives.errors import P2PError
from p2pcommerce.runtime.answers import PeerInfo, QueryResult
from p2pcommerce.runtime.assembly import assemble
from p2pcommerce.runtime.config import NodeConfig
from p2pcommerce.runtime.running import RunningNode
from p2pcommerce.runtime.transport import Listener, Transport, TransportError
from p2pcommerce.runtime.transport.tcp import TcpTransport

__all__ = ["PeerInfo", "QueryResult", "RunningNode", "open_node"]


@asynccontextmanager
async def open_node(
    config: NodeConfig,
    *,
    application: Application | None = None,
    engine: FinalityEngine | None = None,
    transports: Sequence[Transport] = (),
    verifier: Verifier | None = None,
    limits: ResourceLimits | None = None,
) -> AsyncIterator[RunningNode]:
    """Open a node; leaving the context stops it within a second, and nothing is lost.

    Args:
        config: see `NodeConfig`.
        application: what the chain is for; None: commerce.
        engine: decides what is final; None: the one that the configuration names.
        transports: beside TCP.
        verifier: checks signatures of what enters the pool; None: inline, which measures best on a busy node.
        limits: what connections may take; never more than the process's limit of open files allows.

    Raises:
        UsageError: the folder or an address cannot be used, or the disk failed while it ran; one line says which and
            what to do.
        NodeHaltedError: while it runs: it stopped itself rather than contradict the network.
    """
    assembly = await trio.to_thread.run_sync(assemble, config, application, engine, verifier)
    body: BaseException | None = None
    failure: BaseException | None = None
    try:
        known = {transport.scheme: transport for transport in (TcpTransport(), *transports)}
        async with _listening(config.listen, known) as listeners:
            node = RunningNode(assembly, known, ResourceLimits() if limits is None else limits)
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(partial(node.run, listeners))
                    assembly.log.info("node", "started", height=node.height, listen=",".join(node.listen_addresses))
                    try:
                        yield node
                    except BaseException as error:
                        body = error
                        raise
                    nursery.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                failure = _told(group, body)
            finally:
                await node.close()
                assembly.log.info("node", "stopped", height=node.height)
    finally:
        assembly.close()
    if failure is not None:
        raise failure


@asynccontextmanager
async def _listening(addresses: Sequence[str], transports: Mapping[str, Transport]) -> AsyncIterator[list[Listener]]:
    listeners: list[Listener] = []
    try:
        for address in addresses:
            transport = transports.get(address.partition("://")[0])
            if transport is None:
                raise TransportError(f'"{address}": this node has the transports {", ".join(sorted(transports))}')
            listeners.append(await transport.listen(address))
        yield listeners
    finally:
        with trio.CancelScope(shield=True):
            for listener in listeners:
                await listener.aclose()


def _told(group: BaseExceptionGroup[BaseException], body: BaseException | None) -> BaseException:
    """Return what the application should see of the errors that ended the context.

    Args:
        group: everything that was raised within.
        body: what the application itself raised, perhaps only because the node's end cancelled it.
    """
    raised = {} if body is None else {id(error): error for error in _leaves(body)}
    own = [error for error in raised.values() if not isinstance(error, trio.Cancelled)]
    of_node = [error for error in _leaves(group) if id(error) not in raised and not isinstance(error, trio.Cancelled)]
    if not of_node:
        return group if body is None else body
    if own or not (len(of_node) == 1 or all(isinstance(error, P2PError) for error in of_node)):
        return group
    first, *others = of_node
    for other in others:
        first.add_note(f"also: {other}")
    return first


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
