"""Adapters that nobody should load: what is done to a good one, and a word of the reason for which it is refused."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from genrec.learn.adapter import CONFIG, MANIFEST, TENSORS

Harm = Callable[[Path], None]
_FIRST = "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight"


class _Boom:
    """A pickle that runs code when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("pwned",)


def harms() -> Iterator[tuple[str, Harm, str]]:
    """Name, what to do to the folder of an adapter, and what the refusal has to say."""
    for name in ("adapter_model.bin", "adapter_model.pt", "pytorch_model.bin", "optimizer.pkl"):
        yield f"a pickle beside: {name}", _adding(name, pickle.dumps(_Boom())), "no part of an adapter"
    yield "a pickle in place of the tensors", _writing(TENSORS, pickle.dumps(_Boom())), "SHA-256"
    yield "a pickle, sealed", _sealing(_writing(TENSORS, pickle.dumps(_Boom()))), "not safetensors"
    yield "a zip of pickles, sealed", _sealing(_writing(TENSORS, b"PK\x03\x04" + bytes(100))), "not safetensors"
    for name in ("code.py", "tokenizer.json", "chat_template.jinja", ".hidden", "README.md"):
        yield f"an extra file: {name}", _adding(name, b"x"), "no part of an adapter"
    yield "an extra folder", lambda folder: (folder / "more").mkdir(), "no part of an adapter"
    for name in (MANIFEST, CONFIG, TENSORS):
        yield f"a link: {name}", _linking(name), "link"
        yield f"missing: {name}", _removing(name), f"no {name}"
        yield f"a pipe: {name}", _piping(name), "no plain file"
        yield f"empty: {name}", _writing(name, b""), "manifest.json" if name == MANIFEST else "SHA-256"
    yield "the folder is a link", _linking_folder, "no adapter at"
    yield "one byte of the tensors is another", _flipping, "SHA-256"
    yield "tensors of another size", lambda folder: os.truncate(folder / TENSORS, 50_000_000), "bytes"
    yield "a manifest without end", lambda folder: os.truncate(folder / MANIFEST, 50_000_000), "bytes"
    yield "a manifest that is no JSON", _writing(MANIFEST, b"{" * 100_000), "manifest.json"
    for path in ("../../../etc/passwd", "/etc/passwd", "..\\evil", "sub/adapter_model.safetensors"):
        yield f"a file elsewhere: {path}", _saying(files=_pointing(path)), "its manifest lists"
    yield "no files", _saying(files={}), "its manifest lists"
    yield "digests that are none", _saying(files={CONFIG: "0", TENSORS: "0"}), "files"
    yield "another base", _saying(base={"name": "scripted", "sha256": "0" * 64}), "is for model"
    yield "an unknown format", _saying(format=2), "format"
    yield "an unknown field", _saying(auto_map={"AutoModel": "evil.Model"}), "auto_map"
    yield "a weight beyond 1", _saying(weight=40), "weight"
    yield "a weight that is no number", _raw("weight", "NaN"), "weight"
    yield "figures that are no numbers", _raw("figures", '{"ndcg@10": Infinity}'), "figures"
    yield "a huge rank", _shaped(rank=100_000), "rank"
    yield "no rank", _shaped(rank=0), "rank"
    yield "a rank that the tensors do not have", _shaped(rank=8), "says something else"
    yield "a scale beyond all measure", _shaped(alpha=1_000_000), "alpha"
    yield "another scale than the configuration's", _shaped(alpha=32), "says something else"
    yield "layers without end", _shaped(layers=10**9), "layers"
    yield "more layers than the tensors have", _shaped(layers=2), "is missing"
    yield "code in the configuration", _configured(auto_mapping={"base_model_class": "evil"}), "says something else"
    yield "whole modules in the configuration", _configured(modules_to_save=["lm_head"]), "says something else"
    yield "other layers in the configuration", _configured(target_modules=".*"), "says something else"
    for value in (np.nan, np.inf, -np.inf):
        yield f"numbers that are {value}", _tensor(lambda t, v=value: _with(t, v)), "not finite"
    yield "half numbers", _tensor(lambda t: t.astype(np.float16)), "F16"
    yield "whole numbers", _tensor(lambda t: t.astype(np.int32)), "I32"
    yield "a tensor of another shape", _tensor(lambda t: t.reshape(-1)), "not F32"
    yield "a tensor with another name", _renaming("base_model.model.lm_head.weight"), "lm_head"
    yield "a tensor with a path for a name", _renaming("../../weights"), "../../weights"
    yield "a tensor too many", _also("base_model.model.model.embed_tokens.weight"), "should not be there"
    yield "a header without end", _header(struct.pack("<Q", 2**62)), "not safetensors"
    yield "a header that is no JSON", _header(struct.pack("<Q", 16) + b"x" * 16), "not safetensors"
    yield "tensors that overlap", _header(_overlapping()), "not safetensors"
    yield "a tensor behind the end", _header(_beyond()), "not safetensors"


def _adding(name: str, content: bytes) -> Harm:
    return lambda folder: _void((folder / name).write_bytes(content))


_writing = _adding


def _void(_: object) -> None:
    """What writes returns a number, and a harm nothing."""


def _removing(name: str) -> Harm:
    return lambda folder: (folder / name).unlink()


def _linking(name: str) -> Harm:
    """The very file, from elsewhere."""

    def harm(folder: Path) -> None:
        (folder / name).rename(folder.parent / name)
        (folder / name).symlink_to(folder.parent / name)

    return harm


def _piping(name: str) -> Harm:
    """Whoever opens it to read waits for ever."""

    def harm(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return harm


def _linking_folder(folder: Path) -> None:
    shutil.move(folder, folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def _flipping(folder: Path) -> None:
    content = bytearray((folder / TENSORS).read_bytes())
    content[-1] ^= 1
    (folder / TENSORS).write_bytes(content)


def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return found


def _saying(**changes: Any) -> Harm:
    """A manifest that says something else."""

    def harm(folder: Path) -> None:
        (folder / MANIFEST).write_text(json.dumps({**_manifest(folder), **changes}))

    return harm


def _raw(field: str, value: str) -> Harm:
    """What Python would not write."""

    def harm(folder: Path) -> None:
        text = json.dumps({**_manifest(folder), field: "HERE"})
        (folder / MANIFEST).write_text(text.replace('"HERE"', value))

    return harm


def _pointing(path: str) -> dict[str, str]:
    return {path: "0" * 64, CONFIG: "0" * 64}


def _shaped(**changes: int) -> Harm:
    return lambda folder: _saying(shape={**_manifest(folder)["shape"], **changes})(folder)


def _sealing(harm: Harm) -> Harm:
    """With digests that are right again: so that only what comes behind them can notice."""

    def sealed(folder: Path) -> None:
        harm(folder)
        digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG, TENSORS)}
        _saying(files=digests)(folder)

    return sealed


def _configured(**changes: Any) -> Harm:
    def harm(folder: Path) -> None:
        said = {**json.loads((folder / CONFIG).read_text()), **changes}
        (folder / CONFIG).write_text(json.dumps(said, indent=1) + "\n")

    return _sealing(harm)


def _rewritten(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Harm:
    return _sealing(lambda folder: save_file(change(load_file(folder / TENSORS)), folder / TENSORS))


def _tensor(change: Callable[[Any], Any]) -> Harm:
    return _rewritten(lambda tensors: {**tensors, _FIRST: change(tensors[_FIRST])})


def _with(tensor: Any, value: float) -> Any:
    changed = tensor.copy()
    changed[0, 0] = value
    return changed


def _renaming(name: str) -> Harm:
    return _rewritten(lambda tensors: {name if key == _FIRST else key: value for key, value in tensors.items()})


def _also(name: str) -> Harm:
    return _rewritten(lambda tensors: {**tensors, name: np.zeros((2, 2), np.float32)})


def _header(content: bytes) -> Harm:
    return _sealing(_writing(TENSORS, content))


def _overlapping() -> bytes:
    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    said = json.dumps({"a": one, "b": one}).encode()
    return struct.pack("<Q", len(said)) + said + bytes(4)


def _beyond() -> bytes:
    said = json.dumps({"a": {"dtype": "F32", "shape": [10], "data_offsets": [0, 40]}}).encode()
    return struct.pack("<Q", len(said)) + said + bytes(4)
