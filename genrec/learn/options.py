"""The options of `genrec train`, and what their texts mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.learn.shape import MOST_RANK
from genrec.learn.shelf import Shelf
from genrec.learn.source import Source, from_database, from_folder
from genrec.ranking import LABELS

Folder = Annotated[Path | None, typer.Option("--data", help="Folder with items, users and events.")]
Url = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="Of the service: sqlite:///FILE or postgresql://...")
]
OfTenant = Annotated[str, typer.Option("--tenant", help="Whose, in the database.")]
Home = Annotated[Path | None, typer.Option("--adapters", help="Where adapters are kept; else DATA/adapters.")]
Kept = Annotated[Path, typer.Option("--adapters", help="Where adapters are kept.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Of an adapter, as genrec train list shows it.")]

Paraphrase = Annotated[
    list[str] | None, typer.Option(metavar="PACK", help="Another pack whose words are trained on, too.")
]
Candidates = Annotated[int, typer.Option(min=2, max=len(LABELS), help="In each prompt, as they are served.")]
History = Annotated[int, typer.Option(min=1, help="Events in each prompt.")]
Most = Annotated[int, typer.Option(min=1, help="Takes to train on.")]
Judged = Annotated[int, typer.Option(min=1, help="Takes to stop by and fit the weight, and for the gate.")]
Forms = Annotated[int, typer.Option(min=1, help="Prompts made of each take: the one served, and variations.")]
Readings = Annotated[
    int, typer.Option(min=0, help="Lists of the catalogue to learn first what letters stand for; 0 leaves this out.")
]
Patience = Annotated[int, typer.Option(min=1, help="Looks without a gain until training ends.")]
Reasons = Annotated[int, typer.Option(min=0, help="To train on at most, and to judge by; 0 leaves them alone.")]
Teacher = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Another model, whose checked reasons are learned from.")
]
Rank = Annotated[int, typer.Option(min=1, max=MOST_RANK, help="Of the adapter.")]
Layers = Annotated[int, typer.Option(min=1, help="How many of the last layers are trained.")]
Epochs = Annotated[int, typer.Option(min=1, help="At most.")]
Batch = Annotated[int, typer.Option(min=1, help="Examples a step.")]
SideBySide = Annotated[int, typer.Option(min=1, help="Of them at once, as memory allows.")]
Rate = Annotated[float, typer.Option(min=1e-8, help="Of learning.")]
Look = Annotated[int, typer.Option(min=1, help="Steps between two looks at validation.")]
Seed = Annotated[int, typer.Option(help="Of everything that is drawn.")]
ToWandb = Annotated[bool, typer.Option("--wandb", help="Send the curves to Weights & Biases, too.")]


def source_of(data: Path | None, database: str | None, tenant: str) -> Source:
    """The behaviour that is named. Raises BadParameter unless that is by one of the two."""
    if (data is None) == (database is None):
        raise typer.BadParameter("name the data by --data or by --database, one of the two")
    return from_folder(data) if data else from_database(database or "", tenant)


def shelf_of(adapters: Path | None, data: Path | None) -> Shelf:
    """The adapters that are named, or those beside the data. Raises BadParameter where neither is."""
    if adapters is None and data is None:
        raise typer.BadParameter("name the folder where adapters are kept by --adapters")
    return Shelf(adapters) if adapters else Shelf.beside(data or Path())
