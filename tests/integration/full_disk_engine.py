"""An engine whose disk fills up and has room again; `unshare -rm python -m … FOLDER` prints what came of it."""

import http.client
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ..harness.bench import ENVIRON, dispose, new_key_file, tables, toml_text
from ..harness.fleet import chain_of_its_own
from ..harness.killing import SEP, Serving

DISK_MIB, LEFT_KIB, MOST_INTENTS = 64, 700, 2_000
WAIT_SECONDS = 60.0


def main() -> None:
    """See the module. What it mounts goes with the namespace that it runs in."""
    folder = Path(sys.argv[1])
    disk, environ = folder / "disk", {**os.environ, **ENVIRON}
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", disk], check=True)
    new_key_file(folder)
    config, data = folder / "sep.toml", disk / "data"
    with chain_of_its_own(folder / "chain.sock"):
        said = tables({"socket": str(folder / "chain.sock")})
        config.write_text(toml_text({**said, "store": {"path": str(data)}}))
        acknowledged: list[str] = []
        first = Serving(config, data, environ)
        assert first.ready.wait(WAIT_SECONDS)
        room = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize - LEFT_KIB * 1024))
        refusals: list[object] = []
        for number in range(MOST_INTENTS):
            with suppress(OSError, http.client.HTTPException, ValueError):
                status, answer = first.call(
                    "POST", "/v1/intents", dispose(f"full {number}", 10**15 + number).body
                )
                if status in (200, 201, 202):
                    acknowledged.append(answer["intent_id"])
                    continue
                refusals.append((status, answer.get("code")))
            if first.process.poll() is not None or len(refusals) > 5:
                break
        code = first.process.wait(WAIT_SECONDS)
        told = (folder / "serve.log").read_text()
        (disk / "ballast").unlink()
        second = Serving(config, data, environ)
        assert second.ready.wait(WAIT_SECONDS), (folder / "serve.log").read_text()
        lost = [one for one in acknowledged if second.call("GET", f"/v1/intents/{one}")[0] != 200]
        again = second.call("POST", "/v1/intents", dispose("room again", 10**15).body)[0]
        stopped = second.stop()
        verified = subprocess.run(
            [SEP, "verify", "--config", config], env=environ, capture_output=True, text=True, check=False
        )
    result = {
        "acknowledged": len(acknowledged),
        "refusals": refusals,
        "code": code,
        "told": told[-1500:],
        "lost": lost,
        "again": again,
        "stopped": stopped,
        "verified": verified.returncode,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
