"""An adapter on disk: three files, of which every byte is accounted for. What is anything else is refused.

`manifest.json` says what the adapter is and what it was made of. From it and the base model follows what
`adapter_config.json` says, and the name and the shape of each tensor in `adapter_model.safetensors`: so both can be
compared with what they have to be, and nothing in them is obeyed. vLLM and peft read the same folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save_file

from genrec.errors import DataError, ModelError
from genrec.learn.examples import Sampling
from genrec.learn.sentences import Origin
from genrec.learn.shape import TARGETS, Shape
from genrec.types import PromptVersion

MANIFEST, CONFIG, TENSORS = "manifest.json", "adapter_config.json", "adapter_model.safetensors"
_LONGEST = {MANIFEST: 16_000_000, CONFIG: 10_000}
"""Bytes."""
_HEADER = 1_000_000
"""Bytes that the header of the tensors may take beside their numbers; that of a large model takes a tenth."""

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]


class Base(BaseModel):
    """The model that an adapter belongs to: its name, and the SHA-256 of its files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: Digest


class Manifest(BaseModel):
    """What an adapter is, and what it was made of.

    `first` and `last`: when the first and the last of what it saw was taken. `users`: everybody whom it saw, each as
    `user_mark` makes it of the id and the salt, so that whoever has the ids finds them and nobody else reads them.
    `reasons`: how many checked ones it was trained on, by who wrote them; where there are any it writes reasons, else
    the base model does. `teacher`: the model that wrote them, where it is another.
    `pairs`: lists of which it was trained on what was taken over what was left.
    `weight`: its share in the fused score, as it was fitted on validation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    genrec: str
    base: Base
    shape: Shape
    prompts: tuple[PromptVersion, ...] = Field(min_length=1)
    sampling: Sampling
    examples: dict[str, int]
    reasons: dict[Origin, int] = Field(default_factory=dict)
    teacher: Base | None = None
    pairs: int = 0
    first: datetime | None
    last: datetime | None
    salt: Digest
    users: tuple[Digest, ...]
    seed: int
    weight: float = Field(ge=0, le=1)
    figures: dict[str, FiniteFloat]
    files: dict[str, Digest]

    @property
    def writes(self) -> bool:
        """Whether reasons are written with the adapter."""
        return any(self.reasons.values())

    def saw(self, user_id: str) -> bool:
        """Whether a user's behaviour is in the adapter."""
        return user_mark(user_id, self.salt) in self.users


class Adapter(BaseModel):
    """An adapter that was checked. `version` is the beginning of its manifest's SHA-256."""

    model_config = ConfigDict(frozen=True)

    version: str
    folder: Path
    manifest: Manifest

    @property
    def model(self) -> str:
        """The name of the model that ranks with it: the base's, `+`, the version."""
        return f"{self.manifest.base.name}+{self.version}"


def user_mark(user_id: str, salt: str) -> str:
    """SHA-256 of a salt and an id."""
    return hashlib.sha256(f"{salt} {user_id}".encode("utf-8", "surrogatepass")).hexdigest()


def base_of(name: str, folder: Path) -> Base:
    """A model by the SHA-256 of the names and contents of its configuration and weights. Raises ModelError."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("config.json"), *folder.glob("*.safetensors")]):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return Base(name=name, sha256=digest.hexdigest())


def shapes(shape: Shape, base: Path) -> dict[str, tuple[int, int]]:
    """Name and shape of each tensor of an adapter. Raises ModelError where the base says too little of its layers."""
    try:
        config = json.loads((base / "config.json").read_bytes())
        width, wide, depth = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
        heads = config["num_attention_heads"]
        head = config.get("head_dim") or width // heads
        queries, keys = heads * head, config.get("num_key_value_heads", heads) * head
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{base / 'config.json'} is not that of a Llama or Qwen model: {error!r}") from error
    sizes = {
        "self_attn.q_proj": (width, queries),
        "self_attn.k_proj": (width, keys),
        "self_attn.v_proj": (width, keys),
        "self_attn.o_proj": (queries, width),
        "mlp.gate_proj": (width, wide),
        "mlp.up_proj": (width, wide),
        "mlp.down_proj": (wide, width),
    }
    found: dict[str, tuple[int, int]] = {}
    for layer in range(max(0, depth - shape.layers), depth):
        for module, (into, out) in sizes.items():
            name = f"base_model.model.model.layers.{layer}.{module}"
            found |= {f"{name}.lora_A.weight": (shape.rank, into), f"{name}.lora_B.weight": (out, shape.rank)}
    return found


def write_adapter(folder: Path, tensors: Tensors, manifest: Manifest) -> None:
    """Write an adapter into a new folder, whole or not at all; `files` of the manifest are filled in.

    Raises:
        DataError: the folder is there, or the disk refuses.
    """
    if folder.exists():
        raise DataError(f"{str(folder)!r} is there already: name a folder that is not")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            save_file(dict(tensors), draft / TENSORS)
            (draft / CONFIG).write_bytes(_config(manifest))
            digests = {name: hashlib.sha256((draft / name).read_bytes()).hexdigest() for name in (CONFIG, TENSORS)}
            done = manifest.model_copy(update={"files": digests})
            (draft / MANIFEST).write_text(done.model_dump_json(indent=1) + "\n", encoding="utf-8")
            draft.chmod(0o755)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise DataError(f"cannot write {str(folder)!r}: {error.strerror}") from error


def read_adapter(folder: Path, base: Base, model: Path) -> tuple[Adapter, Tensors]:
    """Check an adapter for a base model, whose files are in `model`, and read it.

    The folder has to be such that nobody else can write to it meanwhile.

    Raises:
        ModelError: it is anything else than what `write_adapter` writes for this base; the message says what.
    """
    _check_names(folder)
    content = _read(folder / MANIFEST, _LONGEST[MANIFEST])
    manifest = _manifest(content, folder)
    _check_base(manifest, base, folder)
    wanted = shapes(manifest.shape, model)
    room = sum(4 * rows * columns for rows, columns in wanted.values()) + _HEADER
    held = {CONFIG: _read(folder / CONFIG, _LONGEST[CONFIG]), TENSORS: _read(folder / TENSORS, room)}
    if set(manifest.files) != set(held):
        raise ModelError(f"{folder}: its manifest lists {', '.join(sorted(manifest.files)) or 'no files'}")
    for name, found in held.items():
        if hashlib.sha256(found).hexdigest() != manifest.files[name]:
            raise ModelError(f"{folder / name} is not the file that the manifest names: its SHA-256 is another")
    if held[CONFIG] != _config(manifest):
        raise ModelError(f"{folder / CONFIG} says something else than the manifest")
    tensors = _tensors(held[TENSORS], wanted, folder / TENSORS)
    return Adapter(version=hashlib.sha256(content).hexdigest()[:12], folder=folder, manifest=manifest), tensors


def read_manifest(folder: Path) -> Manifest:
    """What an adapter says of itself, which is not checked here. Raises ModelError for what is no manifest."""
    return _manifest(_read(folder / MANIFEST, _LONGEST[MANIFEST]), folder)


def _check_names(folder: Path) -> None:
    """Three plain files, and nothing else."""
    if folder.is_symlink() or not folder.is_dir():
        raise ModelError(f"no adapter at {str(folder)!r}: name a folder that genrec train has written")
    names = {entry.name for entry in os.scandir(folder)}
    if extra := sorted(names - {MANIFEST, CONFIG, TENSORS}):
        raise ModelError(f"{folder} holds {extra[0]!r}, which is no part of an adapter: nothing of it is read")
    if missing := sorted({MANIFEST, CONFIG, TENSORS} - names):
        raise ModelError(f"{folder} holds no {missing[0]}")


def _read(path: Path, most: int) -> bytes:
    """A plain file of limited size; what a link points at is never opened."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ModelError(f"{path} is no plain file")
            if about.st_size > most:
                raise ModelError(f"{path} has {about.st_size} bytes, more than the {most} that it can need")
            return file.read(most)
    except OSError as error:
        linked = " (a link)" if path.is_symlink() else ""
        raise ModelError(f"{path}{linked} cannot be read: {error.strerror}") from error


def _manifest(content: bytes, folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "all of it"
        raise ModelError(f"{folder / MANIFEST}: {where}: {problem['msg']}") from error


def _check_base(manifest: Manifest, base: Base, folder: Path) -> None:
    if manifest.base.sha256 != base.sha256:
        raise ModelError(
            f"{folder} is for model {manifest.base.name!r} with SHA-256 {manifest.base.sha256[:12]}, "
            f"not for {base.name!r} with {base.sha256[:12]}"
        )


def _tensors(content: bytes, wanted: Mapping[str, tuple[int, int]], path: Path) -> Tensors:
    try:
        held = dict(deserialize(content))  # type: ignore[no-untyped-call]
    except (SafetensorError, ValueError) as error:
        raise ModelError(f"{path} is not safetensors: {' '.join(str(error).split())[:200]}") from error
    if held.keys() != wanted.keys():
        odd = sorted(held.keys() ^ wanted.keys())[0]
        raise ModelError(f"{path}: tensor {odd[:200]!r} {'should not be there' if odd in held else 'is missing'}")
    found = {}
    for name, tensor in held.items():
        if tensor["dtype"] != "F32" or tuple(tensor["shape"]) != wanted[name]:
            said = f"{tensor['dtype']} {tuple(tensor['shape'])}"
            raise ModelError(f"{path}: tensor {name} is {said}, not F32 {wanted[name]}")
        numbers = np.frombuffer(tensor["data"], np.float32).reshape(wanted[name])
        if not np.isfinite(numbers).all():
            raise ModelError(f"{path}: tensor {name} holds numbers that are not finite")
        found[name] = numbers
    return found


def _config(manifest: Manifest) -> bytes:
    """What peft and vLLM read, as it follows from the manifest."""
    said = {
        "base_model_name_or_path": manifest.base.name,
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": manifest.shape.alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": manifest.shape.rank,
        "target_modules": list(TARGETS),
        "task_type": "CAUSAL_LM",
    }
    return (json.dumps(said, indent=1) + "\n").encode()
