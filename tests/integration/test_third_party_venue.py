"""A venue that somebody else wrote: built as a wheel, installed where SEP runs, held to the kit, and traded through.

Its author knows nothing of SEP but the published contract, and tells SEP nothing but quotes; it still takes part in
splits, beside pools whose mathematics the kernel knows.
"""

import json
import re
import shutil
import site
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sep_testnet.artifacts import load_artifacts
from sep_testnet.errors import TestnetUnavailable

from .command import environment, running, sep
from .outsider import DIST, write_project

pytestmark = pytest.mark.anvil
ROOT = Path(__file__).parents[2]
SECONDS = 300


@dataclass(frozen=True, slots=True)
class Place:
    """A fresh environment with SEP and the stranger's wheel in it."""

    python: Path
    project: Path

    def run(self, *words: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Runs its interpreter."""
        return subprocess.run(
            [self.python, *words], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=SECONDS
        )

    @property
    def program(self) -> tuple[str | Path, ...]:
        """Its `sep`."""
        return self.python, "-c", "from sep_core.cli.main import main; main()"

    def sep(self, *words: str | Path, cwd: Path) -> Any:
        """Runs its `sep`; the answer as JSON."""
        done = self.run(*self.program[1:], *words, "--json", cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Writes the project far from the checkout, builds its wheel, installs it into an environment of its own."""
    try:
        load_artifacts()
    except TestnetUnavailable as error:
        pytest.skip(f"the local testnet is not available: {error}")
    folder = tmp_path_factory.mktemp("stranger")
    assert not folder.is_relative_to(ROOT)
    project = write_project(folder / "project")
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    environ = {**environment(), "UV_PYTHON": sys.executable}
    environ.pop("VIRTUAL_ENV", None)

    def tool(*words: str | Path) -> None:
        done = subprocess.run(
            [uv, *words, "--offline", "--quiet"],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr

    tool("build", "--wheel", "--out-dir", folder / "dist")
    tool("venv", "--no-project", folder / "env")
    python = folder / "env" / "bin" / "python"
    (wheel,) = (folder / "dist").glob("*.whl")
    tool("pip", "install", "--python", python, "--no-deps", wheel)
    _share(python)
    return Place(python, project)


def _share(python: Path) -> None:
    """Lets an environment see what is installed in this one, editable packages too, as a layer below its own."""
    own = Path(
        subprocess.run(
            [python, "-c", "import site; print(site.getsitepackages()[0])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    lines = [f"import site; site.addsitedir({below!r})" for below in site.getsitepackages()]
    (own / "below.pth").write_text("\n".join(lines) + "\n")


def test_the_stranger_is_not_part_of_this_checkout(place: Place) -> None:
    """Only the fresh environment knows it."""
    assert place.run("-c", "import acme_venue_quotes", cwd=place.project).returncode == 0
    here = subprocess.run([sys.executable, "-c", "import acme_venue_quotes"], capture_output=True)
    assert here.returncode != 0


def test_it_passes_the_conformance_kit(place: Place) -> None:
    """Its author runs the kit in his own project."""
    done = place.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=place.project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@pytest.fixture(scope="module")
def box(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A local node, and a configuration in which the stranger's venue stands for the pair."""
    folder = tmp_path_factory.mktemp("box")
    with running(["testnet", "up", "box"], folder, "ready"):
        _enable(folder / "box")
        yield folder / "box"


def _enable(box: Path) -> None:
    chain = json.loads((box / "box.json").read_text())["chains"]["ethereum"]
    found = chain["deployment"]
    path = box / "sep.toml"
    text = path.read_text()
    (table,) = [one for one in text.split("\n\n") if one.startswith("[venues.uniswap-v2]")]
    (pair,) = found["v2_pairs"]
    tokens = [found["weth"], found["usdc"]]
    ours = [
        "[venues.acme]",
        'use = "acme-quotes"',
        'chain = "ethereum"',
        f"router = {json.dumps(found['v2_router'])}",
        f"pair = {json.dumps(pair['address'])}",
        f"tokens = {json.dumps(tokens)}",
    ]
    text = text.replace(table, "\n".join(ours)).replace('"sep-venue-uniswap-v2"', json.dumps(DIST))
    # The deeper pools would take everything.
    others = ("[venues.balancer]", "[venues.curve]")
    text = "\n\n".join(one for one in text.split("\n\n") if not one.startswith(others))
    deepest = next(one["address"] for one in found["v3_pools"] if one["fee"] == 500)
    text = re.sub(rf'"{deepest}", |, "{deepest}"', "", text)
    owner = re.search(r'address = "(0x[0-9a-fA-F]{40})"\nfunding', text)
    assert owner is not None
    payer = _ask(chain["rpc"], "eth_accounts")[0]
    assert sep("executor", "deploy", owner[1], "--rpc", chain["rpc"], "--unlocked", payer, cwd=box).code == 0
    executor = sep("executor", "address", owner[1], cwd=box).out.strip()
    text = text.replace("\nfunding", f"\nexecutor = {json.dumps(executor)}\nfunding")
    text = text.replace('funding = ["USDC"]', 'funding = ["USDC", "WETH"]')
    path.write_text(text.replace("port = 8765", "port = 0"))


def _ask(rpc: str, method: str) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
    request = urllib.request.Request(rpc, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]


def test_it_takes_part_in_a_split(place: Place, box: Path) -> None:
    """A quote over all venues leads through it and through others at once; amounts are the contract's own."""
    said = place.sep("quote", "--sell", "USDC", "--amount", "40000", "--buy", "WETH", cwd=box)
    venues = {leg["market"].partition("/")[0] for leg in said["legs"]}
    assert "acme" in venues, said
    assert len(venues) > 1, said


def test_an_intent_trades_through_it(place: Place, box: Path) -> None:
    """Signed, sent, settled: the books equal the chain."""
    intent = json.loads((box / "intent.json").read_text())
    usdc = json.loads((box / "box.json").read_text())["chains"]["ethereum"]["deployment"]["usdc"]
    sold = {"symbol": "USDC", "address": usdc, "decimals": 6, "chain_id": 1}
    intent |= {"id": str(uuid4()), "type": "DISPOSE", "assets": [{"asset": sold, "amount": "40000000000"}]}
    intent["constraints"] |= {"max_slippage": 0.05, "execution_style": "IMMEDIATE"}
    (box / "stranger.json").write_text(json.dumps(intent))
    with running(["serve"], box, "ready", program=place.program) as engine:
        place.sep("submit", "stranger.json", "--wait", "60", cwd=box)
        told = place.sep("explain", intent["id"], cwd=box)
        assert engine.stop() == 0
    assert told["intent"]["status"] == "SETTLED", told
    plan = told["plan"]
    assert plan["mode"] == "BUNDLE"
    venues = {leg["market"].partition("/")[0] for step in plan["steps"] for leg in step["legs"]}
    assert "acme" in venues
    assert len(venues) > 1
    assert sum(int(one["spent"]["amount"]) for one in told["intent"]["fills"]) == 40_000_000_000
    assert place.sep("verify", cwd=box)
