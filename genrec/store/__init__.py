"""Where items, users and events are kept: a data folder read into memory."""

from genrec.store.fitted import folder_model_weights, folder_weights, save_model_weight, save_weights
from genrec.store.folder import folder_pack, read_folder, write_folder
from genrec.store.lastfm import import_lastfm_hetrec
from genrec.store.memory import Store
from genrec.store.movielens import import_movielens_100k

__all__ = [
    "Store",
    "folder_model_weights",
    "folder_pack",
    "folder_weights",
    "import_lastfm_hetrec",
    "import_movielens_100k",
    "read_folder",
    "save_model_weight",
    "save_weights",
    "write_folder",
]
