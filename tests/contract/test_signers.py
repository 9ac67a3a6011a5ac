"""Both signers pass the suite of all signers: the key file in the engine, and the process of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sep_hooks.signer import Signer
from sep_hooks.testing.signer import Opened, SignerSuite
from sep_native.sign import Keystore

from sep_core.adapters import signer_keystore
from sep_core.adapters.signer_keystore import KeystoreConfig, KeystoreSigner
from sep_core.adapters.signer_process import ProcessConfig

from ..harness.signer import KEY, PASSWORD, SignerProcess, client, context

pytestmark = pytest.mark.anyio


class TestKeystore(SignerSuite):
    """The key file."""

    @pytest.fixture
    async def opened(self, tmp_path: Path) -> AsyncIterator[Opened]:
        Keystore.import_key(tmp_path / "main.json", KEY, PASSWORD.encode(), scrypt_log_n=2)
        made: list[KeystoreSigner] = []

        async def opened() -> Signer[KeystoreConfig]:
            config = KeystoreConfig(path=tmp_path / "main.json", password=SecretStr(PASSWORD))
            made.append(KeystoreSigner(config, context()))
            await made[-1].open()
            return made[-1]

        yield opened
        for one in made:
            await one.close()

    async def test_a_signer_that_checks_no_epoch_is_seen(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Planted: an engine that was displaced still gets its signatures."""
        monkeypatch.setattr(signer_keystore, "_raise_epoch", lambda *_: None)
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            await self.test_an_older_epoch_is_refused_over_restarts(opened)

    async def test_a_signer_that_knows_no_breakers_is_seen(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Planted: the kernel alone keeps breakers, and an engine that was paused meanwhile gets its signature."""
        monkeypatch.setattr(signer_keystore, "_check_breaker_epoch", lambda *_: None)
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            await self.test_what_was_checked_before_a_breaker_opened_is_refused_over_restarts(opened)


class TestProcess(SignerSuite):
    """`sep-signer`, asked over its socket."""

    @pytest.fixture
    def process(self, tmp_path: Path) -> Iterator[SignerProcess]:
        with SignerProcess(tmp_path / "signer") as process:
            yield process

    @pytest.fixture
    async def opened(self, process: SignerProcess) -> Opened:
        async def opened() -> Signer[ProcessConfig]:
            one = client(process)
            await one.open()
            return one

        return opened
