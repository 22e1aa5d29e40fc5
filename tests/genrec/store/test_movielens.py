"""MovieLens 100K in miniature: the same columns, three rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec import DataError, import_movielens_100k, read_folder
from genrec.store import folder_pack

_FILES = {
    "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n2\tTruth About Cats & Dogs, The\t1996\tComedy Romance\n",
    "user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n7\t24\tF\twriter\t85711\n",
    "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t1\t4\t881250949\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for suffix, text in _FILES.items():
        (folder / f"ml-100k.{suffix}").write_text(text)
    return folder


def test_import(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert import_movielens_100k(source, out) == {"items": 2, "users": 1, "events": 1}
    store = read_folder(out)
    assert [item.title for item in store.items] == ["Toy Story", "The Truth About Cats & Dogs"]
    assert store.items[0].categories == ("Animation", "Children", "Comedy")
    assert store.user("7").attributes == {"age": 24, "gender": "female", "occupation": "writer"}
    assert store.history("7")[0].value == 4
    assert folder_pack(out) == "movies"


def test_a_missing_file_leaves_nothing(source: Path, tmp_path: Path) -> None:
    (source / "ml-100k.inter").unlink()
    with pytest.raises(DataError, match=r"ml-100k\.inter is missing"):
        import_movielens_100k(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("suffix", "row", "message"),
    [
        ("user", "8\t30", "line 3: 2 columns, expected 5"),
        ("user", "8\tyoung\tM\twriter\t1", r"ml-100k.user, line 3: not MovieLens 100K: '8 \| young"),
        ("user", "8\t30\tX\twriter\t1", "line 3: not MovieLens 100K"),
        ("item", "\tHeat\t1995\tCrime", "line 4: not MovieLens 100K"),
        ("inter", "7\t1\tfour\t881250949", "line 3: not MovieLens 100K"),
        ("inter", "7\t1\t4\t1e30", "line 3: not MovieLens 100K"),
    ],
)
def test_a_broken_row_is_named(source: Path, tmp_path: Path, suffix: str, row: str, message: str) -> None:
    (source / f"ml-100k.{suffix}").write_text(_FILES[suffix] + row + "\n")
    with pytest.raises(DataError, match=message):
        import_movielens_100k(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
