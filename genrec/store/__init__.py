"""Where items, users and events are kept: a data folder read into memory."""

from genrec.store.folder import folder_pack, folder_weights, read_folder, save_weights, write_folder
from genrec.store.memory import Store
from genrec.store.movielens import import_movielens_100k

__all__ = [
    "Store",
    "folder_pack",
    "folder_weights",
    "import_movielens_100k",
    "read_folder",
    "save_weights",
    "write_folder",
]
