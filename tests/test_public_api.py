"""The names that users import, and that each of them is documented."""

import genrec
import retrieval


def test_the_surface_is_what_it_says() -> None:
    assert sorted(genrec.__all__) == genrec.__all__
    assert sorted(retrieval.__all__) == retrieval.__all__
    assert set(genrec.__all__) >= {"Recommender", "Item", "User", "Event", "Context", "Store", "Config", "GenrecError"}


def test_every_public_name_has_a_docstring() -> None:
    for package in (genrec, retrieval):
        for name in package.__all__:
            assert getattr(package, name).__doc__, name


def test_every_error_is_a_genrec_error() -> None:
    ends = ("Error", "NotFound", "Conflict", "Timeout")
    errors = [getattr(genrec, name) for name in genrec.__all__ if name.endswith(ends)]
    assert len(errors) == 10
    assert all(issubclass(error, genrec.GenrecError) for error in errors)
