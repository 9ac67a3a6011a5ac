"""The verb: it says where an executor stands, deploys it once, and recognises what is another's."""

import json
import os
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import entry_points
from importlib.resources import files
from threading import Thread

import pluggy
import pytest
from sep_executor import contract
from sep_executor.command import main
from sep_hooks.manifest import parse_manifest
from sep_hooks.markers import PROJECT_NAME
from sep_hooks.specs import boot
from sep_hooks.types import address
from sep_testnet import Testnet

pytest_plugins = ["sep_testnet.fixtures"]


class Verbs:
    def __init__(self) -> None:
        self.verbs: dict[str, Callable[[Sequence[str]], int]] = {}

    def command(self, name: str, help: str, run: Callable[[Sequence[str]], int]) -> None:
        assert help
        self.verbs[name] = run


def test_the_manifest_names_the_verb_that_the_hook_registers(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = entry_points(group="sep_core.hooks", name="executor")
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(boot)
    manager.register(entry.load())
    manager.check_pending()
    verbs = Verbs()
    manager.hook.sep_register_commands(registry=verbs)
    (plugin,) = parse_manifest(files("sep_executor").joinpath("sep-plugin.toml").read_text()).plugin
    assert set(plugin.verbs) == set(verbs.verbs)
    assert verbs.verbs["executor"](["--help"]) == 0
    assert "deploy" in capsys.readouterr().out


def test_each_owner_has_an_address_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    owners = ["0x" + os.urandom(20).hex() for _ in range(3)]
    print(owners)
    assert len({contract().address(address(owner)) for owner in owners}) == 3
    capsys.readouterr()
    assert main(["address", owners[0]]) == 0
    assert capsys.readouterr().out.strip() == contract().address(address(owners[0]))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["address", "0x12"], "0x12"),
        (["check", "0x" + "11" * 20, "--rpc", "ftp://nowhere"], "no HTTP address"),
        (["check", "0x" + "11" * 20, "--rpc", "http://127.0.0.1:1"], "does not answer"),
        (["check", "0x" + "11" * 20, "--rpc", "http://[::1"], "does not answer"),
        (["deploy", "0x" + "11" * 20, "--rpc", "http://[::1"], "does not answer"),
        (["check", "0x" + "11" * 20, "--rpc", "http://127.0.0.1:99999999"], "does not answer"),
    ],
)
def test_mistakes_are_sentences(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["nonsense", "-0x1", "0x" + "f" * 9000, "", "0xzz"])
def test_a_node_that_answers_nonsense_is_named(answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": answer}).encode()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            where = ["--rpc", f"http://127.0.0.1:{server.server_port}"]
            assert main(["deploy", "0x" + "11" * 20, *where]) == 1
        finally:
            server.shutdown()
            serving.join()
    assert "which is no hexadecimal number" in capsys.readouterr().err


@pytest.mark.anvil
def test_it_deploys_once_and_knows_its_own(testnet: Testnet, capsys: pytest.CaptureFixture[str]) -> None:
    owner, payer = (testnet.accounts[place].address.lower() for place in (4, 7))
    url = ["--rpc", testnet.url]
    assert main(["check", owner, *url]) == 1
    assert "nothing stands" in capsys.readouterr().err
    assert main(["deploy", owner, *url]) == 0
    told = capsys.readouterr().out
    assert contract().deployment(address(owner)).hex() in told
    assert main(["deploy", owner, *url, "--unlocked", owner]) == 1
    assert "nonces belong to the engine" in capsys.readouterr().err
    assert main(["deploy", owner, *url, "--unlocked", payer]) == 0
    assert "sent:" in capsys.readouterr().out
    assert main(["deploy", owner, *url, "--unlocked", payer]) == 0
    assert "sent:" not in capsys.readouterr().out, "a second time does nothing"
    assert main(["check", owner, *url]) == 0
    place = contract().address(address(owner))
    assert place in capsys.readouterr().out
    testnet.rpc.call("anvil_setCode", place, "0x6000")
    assert main(["check", owner, *url]) == 1
    assert "not this contract" in capsys.readouterr().err
