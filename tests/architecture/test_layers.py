"""The arrows between parts: import-linter's contracts name every part, and a seeded violation turns each red."""

import json
import subprocess
import sys
import tomllib

import pytest

from ..harness.crossings import ROOT

SEEDS = {
    "kernel layers": {
        "sep_core/intents/seed.py": "import sep_core.runtime",
        "sep_core/execution/seed.py": "import sep_core.risk",
        "sep_core/telemetry/seed.py": "import sep_core.events",
        "sep_core/runtime/seed.py": "import sep_core.api",
        "sep_core/api/seed.py": "import sep_core.cli",
    },
    "the contract stands alone": {
        "sep_hooks/seed.py": "import sep_core.events",
        "sep_hooks/types/seed.py": "import aiohttp",
    },
    "plugins know the contract only": {"sep_venue_uniswap_v3/seed.py": "import sep_core.events"},
    "plugins know nothing of one another": {"sep_venue_uniswap_v3/seed.py": "import sep_venue_uniswap_v2"},
    "the signer and the kernel meet at a socket only": {
        "sep_core/runtime/seed.py": "import sep_signer",
        "sep_signer/seed.py": "import sep_core",
    },
    "litestar and uvicorn serve the api only": {"sep_core/runtime/seed.py": "import litestar"},
    "native code stays behind the rooms that need it": {"sep_core/risk/seed.py": "import sep_native"},
}

# The installed packages must not answer for the skeleton: imports are looked up on the path alone.
LINT = """
import contextlib, importlib.machinery, io, json, os, sys
sys.meta_path[:] = [one for one in sys.meta_path if one in (importlib.machinery.BuiltinImporter,
    importlib.machinery.FrozenImporter, importlib.machinery.PathFinder)]
sys.path.insert(0, sys.argv[1])
os.environ["COLUMNS"] = "200"
from pathlib import Path
from importlinter.cli import lint_imports
seeds = json.loads(sys.argv[2])
found = {}
for name, (place, text) in {"": ("", ""), **seeds}.items():
    if place:
        (Path(sys.argv[1]) / place).write_text(text + "\\n")
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        lint_imports(no_cache=True, no_logo=True)
    if place:
        (Path(sys.argv[1]) / place).unlink()
    found[name] = told.getvalue()
print(json.dumps(found))
"""


def configuration() -> dict[str, object]:
    """What pyproject.toml tells import-linter."""
    linted: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return linted


def packages_of_plugins() -> set[str]:
    """The import packages that the plugins' folders bring."""
    return {path.parent.name for path in (ROOT / "plugins").glob("**/src/*/__init__.py")}


def test_every_package_is_linted() -> None:
    listed = configuration()["root_packages"]
    assert isinstance(listed, list)
    assert set(listed) == {"sep_core", "sep_hooks", "sep_native", "sep_signer"} | packages_of_plugins()
    assert len(listed) == len(set(listed))


def test_every_plugin_stands_in_every_contract_about_plugins() -> None:
    contracts = {one["name"]: one for one in configuration()["contracts"]}  # type: ignore[attr-defined]
    plugins = packages_of_plugins()
    assert plugins <= set(contracts["the contract stands alone"]["forbidden_modules"])
    assert plugins == set(contracts["plugins know the contract only"]["source_modules"])
    assert plugins == set(contracts["plugins know nothing of one another"]["modules"])
    assert set(contracts) == set(SEEDS), "each contract has a seeded violation"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What import-linter says of a skeleton of the project, as it is and with each seed."""
    skeleton = tmp_path_factory.mktemp("skeleton")
    listed = configuration()["root_packages"]
    assert isinstance(listed, list)
    for package in listed:
        (skeleton / package).mkdir()
        (skeleton / package / "__init__.py").touch()
    (skeleton / "sep_hooks/types").mkdir()
    (skeleton / "sep_hooks/types/__init__.py").touch()
    for room in (ROOT / "sep_core").iterdir():
        if (room / "__init__.py").is_file():
            (skeleton / "sep_core" / room.name).mkdir()
            (skeleton / "sep_core" / room.name / "__init__.py").touch()
    (skeleton / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    seeds = {
        f"{contract}: {place}": (place, text)
        for contract, one in SEEDS.items()
        for place, text in one.items()
    }
    done = subprocess.run(
        [sys.executable, "-c", LINT, str(skeleton), json.dumps(seeds)],
        cwd=skeleton,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_the_bare_skeleton_keeps_all_contracts(reports: dict[str, str]) -> None:
    assert "BROKEN" not in reports[""]
    assert f"{len(SEEDS)} kept, 0 broken" in reports[""]


@pytest.mark.parametrize(
    ("contract", "place"), [(contract, place) for contract, one in SEEDS.items() for place in one]
)
def test_a_seeded_violation_is_seen(reports: dict[str, str], contract: str, place: str) -> None:
    assert f"{contract} BROKEN" in reports[f"{contract}: {place}"]
