"""The engine of a demo's folder."""

import pytest

from p2pcommerce.cli.demo.folder import DemoFolder, DemoFolderError


@pytest.mark.parametrize(
    ("nodes", "engine", "founded", "count"),
    [(None, None, "simplex", 4), (None, "ffg", "ffg", 4), (1, None, "solo", 1), (None, "solo", "solo", 1)],
)
def test_a_folder_is_founded_for_an_engine_and_keeps_it(tmp_path, nodes, engine, founded, count):
    folder = DemoFolder.open(tmp_path / "d", nodes, 1, engine)
    assert (folder.genesis.engine, folder.nodes) == (founded, count)
    again = DemoFolder.open(tmp_path / "d", None, None)
    assert (again.genesis.engine, again.run) == (founded, 2)
    with pytest.raises(DemoFolderError, match=f"holds a network of {founded}; leave --engine out"):
        DemoFolder.open(tmp_path / "d", None, None, "simplex" if founded != "simplex" else "ffg")
