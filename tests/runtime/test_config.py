import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommerce.ledger.genesis import Genesis, GenesisError
from p2pcommerce.primitives.errors import UsageError
from p2pcommerce.runtime.config import CONFIG_BYTES_MAX, ConfigError, NodeConfig, write_config
from p2pcommerce.runtime.identity import Identity, KeyFileCost, KeyFileError

IDENTITY = Identity.from_seed(bytes(32))
GENESIS = Genesis.local("test", {IDENTITY.public_key: 10**9})


def config(**changes):
    return NodeConfig(**({"identity": IDENTITY, "genesis": GENESIS, "data_dir": "data"} | changes))


@pytest.fixture
def folder(tmp_path):
    IDENTITY.save(tmp_path / "node.key", "p", cost=KeyFileCost(passes=1, memory_kib=8))
    GENESIS.save(tmp_path / "genesis.json")
    return tmp_path


def refusal(folder, text):
    path = folder / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        NodeConfig.from_toml(path, "p")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_only_identity_genesis_and_data_dir_have_no_default():
    assert config().listen == ("tcp://0.0.0.0:7400",)
    assert config().engine == ""
    for name in ("identity", "genesis", "data_dir"):
        given_ = {"identity": IDENTITY, "genesis": GENESIS, "data_dir": "data"}
        del given_[name]
        with pytest.raises(TypeError, match=name):
            NodeConfig(**given_)


def test_a_configuration_is_frozen_and_keyword_only():
    with pytest.raises(AttributeError):
        config().name = "other"
    with pytest.raises(TypeError):
        NodeConfig(IDENTITY, GENESIS, "data")


def test_an_empty_file_gives_the_defaults_and_the_files_of_its_folder(folder):
    (folder / "config.toml").write_text("")
    loaded = NodeConfig.from_toml(folder / "config.toml", "p")
    assert loaded.identity.public_key == IDENTITY.public_key
    assert loaded.genesis.hash == GENESIS.hash
    assert loaded.folder == folder
    assert loaded.settings == config().settings


def test_relative_paths_are_relative_to_the_file(folder, monkeypatch):
    (folder / "sub").mkdir()
    monkeypatch.chdir("/")
    path = folder / "sub" / "c.toml"
    path.write_text(f'key = "../node.key"\ngenesis = "{folder}/genesis.json"\ndata_dir = "chain"\n')
    assert NodeConfig.from_toml(path, "p").folder == folder / "sub" / "chain"


def test_a_checkpoint_is_relative_to_the_file(folder):
    path = folder / "config.toml"
    path.write_text('sync = "snapshot"\ncheckpoint = "anchor.json"\n')
    loaded = NodeConfig.from_toml(path, "p")
    assert (loaded.sync, loaded.checkpoint) == ("snapshot", str(folder / "anchor.json"))


@pytest.mark.parametrize("name", ["listne", "mempool", "identity", "settings", "folder", ""])
def test_an_unknown_key_is_refused_by_name(folder, name):
    assert f'unknown key "{name}"' in refusal(folder, f'"{name}" = 1\n')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("key = 1", "key must be a path"),
        ('data_dir = ""', "data_dir must be a path"),
        ('genesis = "a\\u0000b"', "genesis must be a path"),
        ("listen = 7400", "listen must be a list"),
        ('listen = "tcp://a:1"', "listen must be a list"),
        ("listen = [1]", "listen: 1 is no address"),
        ('listen = ["0.0.0.0:7400"]', "is no address"),
        ('listen = ["tcp://0.0.0.0"]', "is no address"),
        ('listen = ["tcp://0.0.0.0:65536"]', "is no address"),
        ('bootstrap = ["tcp://a b:1"]', "bootstrap: 'tcp://a b:1' is no address"),
        ('bootstrap = ["tcp://' + "a" * 250 + ':1"]', "is no address"),
        ("bootstrap = [" + '"tcp://a:1",' * 65 + "]", "bootstrap has 65 addresses, at most 64"),
        ("advertise = [" + '"tcp://a:1",' * 9 + "]", "advertise has 9 addresses, at most 8"),
        ('control = "yes"', "control must be true or false"),
        ("control = 1", "control must be true or false"),
        ("outbound_peers = true", "outbound_peers must be an integer from 0 to 256"),
        ("outbound_peers = 8.0", "outbound_peers must be an integer"),
        ("outbound_peers = -1", "outbound_peers must be an integer"),
        ("mempool_count_max = 99", "mempool_count_max must be an integer from 100"),
        ('engine = "raft"', "engine is raft, but the network of the genesis runs simplex; leave it out"),
        ("engine = 1", "engine must be"),
        ('log_level = "loud"', "log_level must be one of debug, info, warning, error"),
        ("name = 1", "name must be printable text"),
        ('name = "' + "é" * 17 + '"', "at most 32 bytes"),
        ('name = "a\\nb"', "name must be printable text"),
        ('sync = "fast"', "sync must be one of full, snapshot, auto"),
        ("checkpoint = 0", "checkpoint must be a path"),
        ('checkpoint = "a\\u0000b"', "checkpoint must be a path"),
        ("[mempool]\nbytes = 1", 'unknown key "mempool"'),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(folder, text, reason):
    assert reason in refusal(folder, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = \n", "line 1"),
        ("\n\nname 3", "line 3"),
        ('name = "a"\nname = "b"', "line 2"),
        (b'name = "a"\nname = "\xff"', "line 2: is not UTF-8"),
        ("a=" + "[" * 20_000, "is not valid TOML"),
        ("a = " + "1" * 5_000, "is not valid TOML"),
        (b"#" * (CONFIG_BYTES_MAX + 1), "is larger than"),
    ],
)
def test_malformed_toml_is_refused_with_its_line(folder, text, reason):
    assert reason in refusal(folder, text)


def test_a_missing_file_is_refused(folder):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        NodeConfig.from_toml(folder / "config.toml", "p")


def test_key_and_genesis_files_speak_for_themselves(folder):
    (folder / "config.toml").write_text("")
    with pytest.raises(KeyFileError, match="wrong passphrase"):
        NodeConfig.from_toml(folder / "config.toml", "q")
    (folder / "genesis.json").write_text("{")
    with pytest.raises(GenesisError, match=r"genesis\.json: .* line 1"):
        NodeConfig.from_toml(folder / "config.toml", "p")


def test_every_error_is_a_usage_error():
    assert issubclass(ConfigError, UsageError)
    assert issubclass(KeyFileError, UsageError)


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": "me"},
        {"genesis": "g.json"},
        {"data_dir": ""},
        {"data_dir": 3},
        {"listen": ["tcp://a:1"]},
        {"name": None},
        {"control": None},
    ],
)
def test_a_program_is_told_the_wrong_field_too(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        config(**changes)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:0", "tcp://[::1]:7400", "tcp://seed.example:7400", "memory://a", "tcp://a:65535"]
)
def test_good_addresses_are_taken(address):
    assert config(listen=(address,)).listen == (address,)


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(st.characters(codec="utf-8"), max_size=8).filter(str.isprintable),
        "listen": st.lists(st.sampled_from(["tcp://a:1", 'x://"\\', "tcp://[::1]:7400"]), max_size=3).map(tuple),
        "outbound_peers": st.integers(0, 256),
        "mempool_bytes_max": st.integers(2**20, 2**40),
        "control": st.booleans(),
        "engine": st.sampled_from(["simplex", "solo"]),
    },
)


@given(chosen=SETTINGS, data_dir=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, chosen, data_dir):
    path = tmp_path_factory.mktemp("config") / "config.toml"
    write_config(path, chosen, data_dir=data_dir)
    document = tomllib.loads(path.read_text())
    assert document.pop("data_dir") == data_dir
    assert document.pop("key") == "node.key"
    assert document.pop("genesis") == "genesis.json"
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()} == chosen


def test_a_written_configuration_is_loaded(folder):
    chosen = {"name": "shop", "listen": (), "bootstrap": ("tcp://seed.example:7400",), "engine": "simplex"}
    write_config(folder / "config.toml", chosen)
    loaded = NodeConfig.from_toml(folder / "config.toml", "p")
    assert loaded.settings == config().settings | chosen


def test_all_settings_can_be_written_and_read(folder):
    write_config(folder / "config.toml", config().settings)
    assert NodeConfig.from_toml(folder / "config.toml", "p").settings == config().settings


def test_an_existing_configuration_is_never_overwritten(folder):
    write_config(folder / "config.toml")
    with pytest.raises(ConfigError, match="exists already"):
        write_config(folder / "config.toml")


def test_nothing_that_cannot_be_read_is_written(folder):
    for settings_, paths in (({"nmae": "x"}, {}), ({"control": 1}, {}), ({}, {"keys": "k"}), ({}, {"key": ""})):
        with pytest.raises(ConfigError):
            write_config(folder / "config.toml", settings_, **paths)
    assert not (folder / "config.toml").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("dns_seeds", "seed.example", "list of names"),
        ("dns_seeds", ("seed.example", 7), "7 is no name"),
        ("dns_seeds", ("seed example",), "no name of a host"),
        ("dns_seeds", ("-seed.example",), "no name of a host"),
        ("dns_seeds", ("seed..example",), "no name of a host"),
        ("dns_seeds", ("",), "no name of a host"),
        ("dns_seeds", ("a" * 64 + ".example",), "no name of a host"),
        ("dns_seeds", (".".join(["a" * 60] * 5),), "no name of a host"),
        ("dns_seeds", tuple(f"seed{at}.example" for at in range(9)), "at most 8"),
        ("dns_server", "192.0.2.53", "192.0.2.53:53"),
        ("dns_server", "resolver.example:53", "with an IP address"),
        ("dns_server", "192.0.2.53:0", "192.0.2.53:53"),
        ("dns_server", "192.0.2.53:99999", "192.0.2.53:53"),
        ("dns_server", "192.0.2.53:+53", "192.0.2.53:53"),
        ("dns_server", 53, "192.0.2.53:53"),
        ("lan", 1, "true or false"),
        ("lan_interface", "eth0", "no IPv4 address"),
        ("lan_interface", "::1", "no IPv4 address"),
        ("lan_interface", 7, "no IPv4 address"),
        ("port_mapping", "on", "one of off, auto, nat-pmp, upnp"),
        ("port_mapping", True, "one of off, auto, nat-pmp, upnp"),
        ("gateway", "router.example", "no IPv4 address"),
        ("gateway", "192.0.2.1:", "no port"),
        ("gateway", "192.0.2.1:0", "no port"),
        ("gateway", "192.0.2.1:65536", "no port"),
        ("gateway", "[::1]:5351", "no port"),
        ("gateway", 1, "no IPv4 address"),
    ],
)
def test_what_finds_peers_is_configured_with_clear_errors(name, value, said):
    with pytest.raises(ConfigError) as caught:
        config(**{name: value})
    assert str(caught.value).startswith(name)
    assert said in str(caught.value)


def test_what_finds_peers_is_read_from_the_file_and_off_by_default(folder):
    off = config()
    assert (off.dns_seeds, off.port_mapping) == ((), "off")
    path = folder / "config.toml"
    path.write_text(
        'dns_seeds = ["seed.example", "Seed2.Example."]\ndns_server = "[::1]:53"\n'
        'port_mapping = "auto"\ngateway = "192.0.2.1:5351"\n'
    )
    loaded = NodeConfig.from_toml(path, "p")
    assert loaded.dns_seeds == ("seed.example", "Seed2.Example.")
    assert (loaded.port_mapping, loaded.gateway) == ("auto", "192.0.2.1:5351")
