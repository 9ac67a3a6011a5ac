"""`sep venue` against an engine that serves: lists, keeps out, lets in, over a restart."""

from pathlib import Path

from .command import refused, running, sep

_SERVE = ["serve", "--json", "--port", "0", "--log", "engine.log"]


def test_an_operator_keeps_a_venue_out_and_lets_it_in_again(tmp_path: Path) -> None:
    assert sep("init", "bot", cwd=tmp_path).code == 0
    folder = tmp_path / "bot"
    refused(sep("venue", "list", cwd=folder), 4, "api-token", "sep serve")
    with running(_SERVE, folder, '"ready"'):
        (one,) = sep("venue", "list", "--json", cwd=folder).json["items"]
        name = one["name"]
        assert one["status"] == "ok"
        table = sep("venue", "list", cwd=folder).out
        assert table.splitlines()[0].split()[:4] == ["venue", "chain", "status", "circuit"]
        assert name in table

        off = sep("venue", "disable", name, "--reason", "under attack", cwd=folder)
        assert off.code == 0
        assert f"{name}  disabled  plans do not use it; 0 markets" in off.out
        assert "under attack" in off.out
        refused(sep("venue", "disable", name, cwd=folder), 2, "--reason")
        refused(sep("venue", "disable", "nobody", "--reason", "x", cwd=folder), 1, "nobody", "sep venue list")
        refused(sep("venue", "enable", name, "--reason", " ", cwd=folder), 1, "/reason", "line of text")
    with running(_SERVE, folder, '"ready"'):
        info = sep("venue", "info", name, cwd=folder).out
        assert "disabled" in info
        assert "under attack" in info
        on = sep("venue", "enable", name, "--reason", "over", cwd=folder)
        assert on.code == 0
        assert "plans use it" in on.out
        told = sep("events", "--stream", f"venue:{name}", "--json", cwd=folder).out
        assert "under attack" in told
        assert "over" in told
