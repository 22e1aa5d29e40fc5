"""HetRec 2011 Last.fm in miniature: the same columns, a few made-up people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec import DataError, Store, import_lastfm_hetrec, read_folder
from genrec.importing import lastfm_hetrec
from genrec.store import folder_pack
from genrec.store.lastfm import What

_FILES = {
    "artists": "id\tname\turl\tpictureURL\n1\tRadiohead\thttp://a\thttp://b\n2\tAir\thttp://a\t\n"
    "3\tMoby\thttp://a\t\n4\tDie Ärzte \"live\"\thttp://a\t\n",
    "tags": "tagID\ttagValue\n1\trock\n2\tmágico\n3\tseen with ann\n4\tnever\n5\tair\n",
    "user_artists": "userID\tartistID\tweight\n"
    "7\t1\t50\n7\t2\t900\n7\t3\t70\n7\t4\t60\n8\t1\t5\n8\t2\t10\n9\t3\t1\n",
    "user_friends": "userID\tfriendID\n7\t8\n7\t9\n8\t7\n9\t7\n",
    "user_taggedartists": "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    "7\t1\t1\t1\t4\t2009\n7\t2\t1\t1\t4\t2009\n8\t1\t1\t2\t5\t2008\n8\t2\t2\t2\t5\t2008\n9\t2\t2\t1\t1\t2010\n"
    "7\t1\t3\t1\t6\t2010\n9\t99\t1\t1\t2\t2010\n9\t1\t2\t1\t9\t1956\n"
    "8\t2\t5\t2\t5\t2008\n9\t2\t5\t1\t1\t2010\n",
}  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, text in _FILES.items():
        (folder / f"{name}.dat").write_text(text, encoding="latin-1" if name == "tags" else "utf-8")
    return folder


def _imported(source: Path, tmp_path: Path, what: What) -> tuple[Store, dict[str, int]]:
    counts = import_lastfm_hetrec(source, tmp_path / what, what)
    return read_folder(tmp_path / what), counts


def test_artists_with_the_tags_that_several_users_gave(source: Path, tmp_path: Path) -> None:
    store, counts = _imported(source, tmp_path, "artists")
    assert counts == {"items": 4, "users": 3, "events": 7}
    assert [item.title for item in store.items] == ["Radiohead", "Air", "Moby", 'Die Ärzte "live"']
    assert [item.categories for item in store.items] == [("rock",), ("air", "mágico"), (), ()]
    assert {(e.item_id, e.value) for e in store.history("8")} == {("1", 5), ("2", 10)}
    assert {(e.type, e.timestamp) for e in store.events} == {("play", None)}
    assert folder_pack(tmp_path / "artists") == "general"
    assert not store.people


def test_people_are_known_by_what_they_play_and_tag(source: Path, tmp_path: Path) -> None:
    store, counts = _imported(source, tmp_path, "friends")
    assert counts == {"items": 3, "users": 3, "events": 4}
    assert [item.title for item in store.items] == [
        "Listener of Air, Moby and Die Ärzte \"live\"", "Listener of Air and Radiohead", "Listener of Moby",
    ]  # fmt: skip
    assert [item.categories for item in store.items] == [
        ("rock",),
        ("air", "mágico", "rock"),
        ("mágico", "air", "rock"),
    ]
    assert store.user("8").attributes == {"artists": ["Air", "Radiohead"], "tags": ["air", "mágico", "rock"]}
    assert {(e.user_id, e.item_id) for e in store.events} == {("7", "8"), ("7", "9"), ("8", "7"), ("9", "7")}
    assert {e.type for e in store.events} == {"follow"}
    assert folder_pack(tmp_path / "friends") == "social"
    assert store.people


def test_who_plays_nothing_is_a_listener(source: Path, tmp_path: Path) -> None:
    (source / "user_friends.dat").write_text(_FILES["user_friends"] + "7\t10\n")
    assert _imported(source, tmp_path, "friends")[0].item("10").title == "Listener"


def test_tags_have_a_day_and_an_artist(source: Path, tmp_path: Path) -> None:
    store, counts = _imported(source, tmp_path, "tags")
    assert counts == {
        "items": 2,
        "users": 3,
        "events": 6,
        "events_before_2002_dropped": 1,
        "events_that_repeat_the_name_of_the_artist_dropped": 2,
        "tags_of_less_than_two_users_dropped": 3,
        "events_with_them_dropped": 1,
        "events_with_an_artist_without_a_name": 1,
    }
    assert [item.title for item in store.items] == ["rock", "mágico"]
    (known, nameless) = store.history("9")
    assert (known.item_id, known.timestamp and known.timestamp.date().isoformat()) == ("2", "2010-01-01")
    assert known.context
    assert known.context.fields() == {"artist": "Air"}
    assert (nameless.item_id, nameless.context) == ("1", None)
    assert [e.item_id for e in store.history("7")] == ["1", "1"]
    assert folder_pack(tmp_path / "tags") == "tags"


@pytest.mark.parametrize("what", ["artists", "friends"])
def test_order_says_nothing_and_is_the_same_each_time(source: Path, tmp_path: Path, what: What) -> None:
    """The files are sorted by id: the last friend would be the one with the highest."""
    name, end = {"artists": ("user_artists", "\t5"), "friends": ("user_friends", "")}[what]
    rows = [f"{user}\t{other}{end}" for user in range(1, 41) for other in range(1, 41) if user != other]
    (source / f"{name}.dat").write_text("\n".join([f"user\tother{end}", *rows]))
    (source / "artists.dat").write_text("\t\t\t\n" + "".join(f"{n}\tArtist {n}\t\t\n" for n in range(1, 41)))
    store, _ = _imported(source, tmp_path, what)
    last = [int(store.history(str(user))[-1].item_id) for user in range(1, 41)]
    assert 10 < sum(last) / len(last) < 31
    import_lastfm_hetrec(source, tmp_path / "again", what)
    assert (tmp_path / what / "events.jsonl").read_bytes() == (tmp_path / "again" / "events.jsonl").read_bytes()


def test_the_command_says_what_was_dropped(source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lastfm_hetrec(source, tmp_path / "tags", "tags")
    shown = " ".join(capfd.readouterr().out.split())
    assert "2 items, 3 users, 6 events, 1 events before 2002 dropped, 2 events that repeat the name" in shown
    assert "3 tags of less than two users dropped, 1 events with them dropped" in shown
    lastfm_hetrec(source, tmp_path / "friends", "friends", as_json=True)
    told = json.loads(capfd.readouterr().out)
    assert told == {"folder": str(tmp_path / "friends"), "items": 3, "users": 3, "events": 4}


@pytest.mark.parametrize("name", _FILES)
def test_a_missing_file_leaves_nothing(source: Path, tmp_path: Path, name: str) -> None:
    (source / f"{name}.dat").unlink()
    with pytest.raises(DataError, match=rf"{name}\.dat is missing: give the folder that holds artists\.dat, tags\.dat"):
        import_lastfm_hetrec(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("artists", "5\tAbba", r"artists\.dat, line 6: 2 columns, expected 4"),
        ("artists", "5\t \t\t", "line 6: not HetRec 2011 Last.fm"),
        ("artists", "1\tAbba\t\t", r"artists\.dat: id '1' is there twice"),
        ("tags", "6\t", "line 7: not HetRec 2011 Last.fm"),
        ("tags", "1\tpop", r"tags\.dat: id '1' is there twice"),
        ("user_artists", "7\t99\t5", r"line 9: not HetRec 2011 Last.fm: '7 \| 99 \| 5'"),
        ("user_artists", "7\t1\tmany", "line 9: not HetRec 2011 Last.fm"),
        ("user_friends", "\t7", "line 6: not HetRec 2011 Last.fm"),
        ("user_taggedartists", "7\t1\t99\t1\t1\t2010", "line 12: not HetRec 2011 Last.fm"),
        ("user_taggedartists", "7\t1\t1\t31\t2\t2010", "line 12: not HetRec 2011 Last.fm"),
        ("user_taggedartists", "7\t1\t1\t1\t1", "line 12: 5 columns, expected 6"),
    ],
)
def test_a_broken_row_is_named(source: Path, tmp_path: Path, name: str, row: str, message: str) -> None:
    with (source / f"{name}.dat").open("a", encoding="utf-8") as file:
        file.write(row + "\n")
    with pytest.raises(DataError, match=message):
        import_lastfm_hetrec(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_artists_must_be_utf8(source: Path, tmp_path: Path) -> None:
    (source / "artists.dat").write_bytes(_FILES["artists"].encode("latin-1"))
    with pytest.raises(DataError, match=r"artists\.dat: not UTF-8"):
        import_lastfm_hetrec(source, tmp_path / "out")
