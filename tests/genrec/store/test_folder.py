"""Data folders: every format reads the same, and a broken line is named."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrec import DataError, Event, Item, User, Weights, read_folder, write_folder
from genrec.store import folder_pack, folder_weights, save_weights

_ITEMS = [
    {"item_id": "1", "title": "Lamp, small", "categories": ["Home", "Light"], "price": 9.5, "attributes": {"w": "5"}},
    {"item_id": "2", "title": "Chaise longue — 椅子"},
]
_EVENTS = [{"user_id": "u", "item_id": "1", "type": "view", "timestamp": "2026-11-01T10:00:00Z"}]


def _folder(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return path


def _lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_json_lines_csv_and_parquet_read_the_same(tmp_path: Path) -> None:
    lines = _folder(tmp_path / "lines", items_jsonl=_lines(_ITEMS), events_jsonl=_lines(_EVENTS))
    table = _folder(
        tmp_path / "table",
        items_csv='item_id,title,categories,price,attributes.w\n1,"Lamp, small",Home|Light,9.5,5\n'
        "2,Chaise longue — 椅子,,,\n",
        events_csv="user_id,item_id,type,timestamp\nu,1,view,2026-11-01T10:00:00Z\n",
    )
    columns = tmp_path / "columns"
    columns.mkdir()
    pq.write_table(pa.Table.from_pylist(_ITEMS, schema=_schema()), columns / "items.parquet")
    pq.write_table(pa.Table.from_pylist(_EVENTS), columns / "events.parquet")
    stores = [read_folder(folder) for folder in (lines, table, columns)]
    assert stores[0].items == stores[1].items == stores[2].items
    assert stores[0].events == stores[1].events == stores[2].events
    assert stores[0].items[0].price == 9.5


def _schema() -> pa.Schema:
    return pa.schema(
        {
            "item_id": pa.string(),
            "title": pa.string(),
            "categories": pa.list_(pa.string()),
            "price": pa.float64(),
            "attributes": pa.struct({"w": pa.string()}),
        }
    )


def test_sequences_are_views_oldest_first(tmp_path: Path) -> None:
    folder = _folder(tmp_path, items_jsonl=_lines(_ITEMS), sequences_tsv="user_id\titem_ids\nu\t2 1\n")
    assert [event.item_id for event in read_folder(folder).history("u")] == ["2", "1"]


def test_a_folder_written_is_read_back(tmp_path: Path) -> None:
    items = [Item.model_validate(row) for row in _ITEMS]
    users = [User(user_id="u", attributes={"age": 3})]
    events = [Event.model_validate(row) for row in _EVENTS]
    write_folder(tmp_path / "out", {"items": items, "users": users, "events": events}, pack="shop")
    store = read_folder(tmp_path / "out")
    assert (store.items, [store.user("u")], store.events) == (items, users, events)
    assert folder_pack(tmp_path / "out") == "shop"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"items_jsonl": ""}, "the catalogue is empty"),
        ({"users_jsonl": ""}, "holds no items.jsonl"),
        ({"items_jsonl": '{"item_id": "1", "title": "x"}\n{"item_id": \n'}, "items.jsonl, line 2: not JSON"),
        ({"items_jsonl": '{"item_id": "1"}\n'}, "items.jsonl, line 1: field 'title' is missing"),
        ({"items_jsonl": '{"item_id": "1", "title": "x", "color": 1}\n'}, "line 1: unknown field 'color'"),
        ({"items_jsonl": '{"item_id": "1", "title": "x", "price": -2}\n'}, "field 'price' is -2"),
        ({"items_jsonl": '"x"\n'}, "line 1: field 'record' is 'x'"),
        ({"items_csv": "item_id,title\n1\n"}, "items.csv, row 2: 2 columns expected"),
        ({"items_csv": 'item_id,title,attributes\n1,x,"{"\n'}, "column 'attributes' holds '{', which is not JSON"),
        ({"items_jsonl": _lines(_ITEMS), "items_csv": "item_id,title\n1,x\n"}, "holds both items.jsonl and items.csv"),
        ({"items_jsonl": _lines([_ITEMS[0], _ITEMS[0]])}, "item_id '1' is there twice"),
        (
            {"items_jsonl": _lines(_ITEMS), "events_jsonl": _lines([{**_EVENTS[0], "item_id": "9"}])},
            "names item '9', which is not in the catalogue",
        ),
        ({"items_jsonl": _lines(_ITEMS), "events_jsonl": _lines([{**_EVENTS[0], "timestamp": "soon"}])}, "'soon'"),
        ({"items_jsonl": _lines(_ITEMS), "sequences_tsv": "u 1 2\n"}, "sequences.tsv, line 1: expected a user id"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataError) as error:
        read_folder(_folder(tmp_path, **files))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").mkdir()
    with pytest.raises(DataError, match=r"items.jsonl cannot be read: Is a directory"):
        read_folder(tmp_path)


def test_a_wrong_encoding_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_bytes(b'{"item_id": "1", "title": "x"}\n{"item_id": "2", "title": "\xe9t\xe9"}\n')
    with pytest.raises(DataError, match="line 2: not UTF-8"):
        read_folder(tmp_path)


@pytest.mark.parametrize(("text", "message"), [("pack: [", "not YAML"), ("pak: shop", "unknown field 'pak'")])
def test_broken_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "genrec.yaml").write_text(text)
    with pytest.raises(DataError, match=message):
        folder_pack(tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device; nothing was left there"):
        write_folder(tmp_path / "out", {"items": [Item(item_id="1", title="x")]})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is there already"):
        write_folder(tmp_path, {"items": []})


def test_weights_beside_the_data(tmp_path: Path) -> None:
    assert folder_weights(tmp_path) is None
    save_weights(tmp_path, Weights(semantic=0.7))
    assert folder_weights(tmp_path) == Weights(semantic=0.7)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.json"]


@pytest.mark.parametrize(
    ("text", "says"), [('{"semantik": 1}', "unknown field 'semantik'"), ("{", "Invalid JSON"), ('{"after": 99}', "99")]
)
def test_bad_weights_are_named_with_the_cure(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "weights.json").write_text(text)
    with pytest.raises(DataError, match=f"weights.json.*{says}.*genrec fit"):
        folder_weights(tmp_path)


def test_items_may_be_people(tmp_path: Path) -> None:
    ann = [Item(item_id="ann", title="Ann")]
    write_folder(tmp_path / "people", {"items": ann}, pack="social", people=True)
    write_folder(tmp_path / "films", {"items": ann})
    assert read_folder(tmp_path / "people").people
    assert folder_pack(tmp_path / "people") == "social"
    assert not read_folder(tmp_path / "films").people
    assert not (tmp_path / "films" / "genrec.yaml").exists()
