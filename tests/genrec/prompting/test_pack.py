"""Packs: strict, sandboxed, versioned; an error names file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec import PromptError
from genrec.prompting import PackError, RenderError, clean, load_pack, pack_folder, pack_names


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    shutil.copytree(pack_folder() / "general", folder)
    return folder


_FRONT = "description: d\ninputs: [user, history]\noutput: label\nsampling: {max_tokens: 1}"


def _rank(pack: Path, body: str) -> None:
    (pack / "rank.j2").write_text(
        f"---\n{_FRONT}\n---\n{{% block system %}}s{{% endblock %}}\n{{% block user %}}{body}{{% endblock %}}\n"
    )


def test_the_packs_that_ship() -> None:
    assert pack_names() == ["events", "general", "movies", "routes", "shop", "social", "tags"]
    assert all(load_pack(name).version for name in pack_names())


def test_the_version_changes_with_any_template(pack: Path) -> None:
    before = load_pack(pack).version
    assert before == load_pack(pack).version
    (pack / "_item.j2").write_text("{{ item.title }}!")
    assert load_pack(pack).version != before


def test_a_begun_answer_is_the_last_message() -> None:
    item: dict[str, object] = {"title": "Tea", "categories": [], "price": None, "attributes": {}, "description": ""}
    evidence = [{"text": "you bought Mocha"}]
    data = {"item": item, "evidence": evidence, "language": "English", "opening": "Because you bought Mocha, take Tea"}
    messages = load_pack("general").render("explain", data)
    assert [message["role"] for message in messages] == ["system", "user", "assistant"]
    assert messages[-1]["content"] == "Because you bought Mocha, take Tea"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{{ user.shoe_size }}", "rank.j2, line 8: does not render: the user has no 'shoe_size': it has attributes"),
        ("{% for item in history %}{{ item.titel }}{% endfor %}", "an item has no 'titel': did you mean 'title'?"),
        (
            "{% for item in history %}{{ item.year }}{% endfor %}",
            "an item has no 'year': did you mean 'attributes.year'?",
        ),
        ("{% for item in history %}{{ item.item_id }}{% endfor %}", "a template never sees 'item_id'"),
        ("{{ user.attributes.plan }}", "there is no 'plan' here: ask first whether it `is defined`"),
        ("{{ nobody }}", "rank.j2, line 8: does not render: 'nobody' is undefined"),
        ("{{ user['__class__'] }}", "line 8: does not compile: the field '__class__' is not for templates"),
        ("{{ ''.join.__globals__ }}", "the field '__globals__' is not for templates"),
        ("{{ ''.join }}", "access to attribute 'join' of 'str' object is unsafe"),
        ("{{ range(9) }}", "no calls but .items()"),
        ("{{ history.append(1) }}", "no calls but .items()"),
        ("{{ user }}", "it prints something with fields"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'a' > 1 }}", "it compares a text with a number, or with nothing: ask first"),
        ("{% for a in 'x' recursive %}{% endfor %}", "no recursive loops"),
        ("{% macro m() %}{% endmacro %}", "no macros in a prompt"),
        ("{{ instruction }}", "'instruction' is undefined"),
    ],
)
def test_templates_are_strict_and_sandboxed(pack: Path, body: str, message: str) -> None:
    _rank(pack, body)
    item = {"title": "Tea", "attributes": {"year": 1926}}
    data = {"user": {"attributes": {}}, "history": [item], "instruction": "not declared"}
    with pytest.raises(PromptError) as error:
        load_pack(pack).render("rank", data)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("\n\n{% if %}", "rank.j2, line 10: does not compile"),
        ("{{ user | shout }}", "No filter named 'shout'"),
        ("{% if user is defined %}{{ user | upper }}{% endif %}", "No filter named 'upper': there are capitalize"),
        ("{% if user is defined and 4 is divisibleby 3 %}x{% endif %}", "No test named 'divisibleby'"),
    ],
)
def test_a_template_that_does_not_compile_is_named_with_its_line(pack: Path, body: str, message: str) -> None:
    _rank(pack, body)
    with pytest.raises(PromptError) as error:
        load_pack(pack)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("front", "message"),
    [
        (_FRONT.replace("description: d\n", ""), "description: is not there, and has to be"),
        (_FRONT.replace("s: 1", "s: 0"), "sampling.max_tokens: is 0: input should be greater than or equal to 1"),
        (_FRONT.replace("s: 1", "s: 1, temprature: 1"), "temprature: no such key: did you mean 'temperature'?"),
        (f"{_FRONT}\nuserfields: [age]", "userfields: no such key: did you mean 'user_fields'?"),
        (f"{_FRONT}\nzzz: 1", "zzz: no such key: known are name, description"),
        (
            f"{_FRONT}\ntests: [{{sample: a, contain: b}}]",
            "line 6: tests.contain: no such key: did you mean 'contains'?",
        ),
        (_FRONT.replace("label", "list"), "rank.j2, line 4: output: is 'list': the answer to rank.j2 is 'label'"),
        (_FRONT.replace("[user,", "[usr,"), "rank.j2, line 3: inputs: is 'usr': did you mean 'user'?"),
        (f"{_FRONT}\noutput: label", "rank.j2, line 6: not YAML as it is read here: the key 'output' stands twice"),
        (f"{_FRONT}\nsamples: regular", "samples: is 'regular': write a list"),
        (f"{_FRONT}\nsamples: [1]", "rank.j2, line 6: samples: is 1, which YAML takes for no text: put it in quotes"),
        (f"{_FRONT}\nbudget: 900", "budget: is 900: write keys and values"),
        (f"{_FRONT}\nname: [a", "rank.j2, line 6: not YAML as it is read here: the [ or { here does not end"),
        (
            f"{_FRONT}\nname: Choose: it",
            "line 6: not YAML as it is read here: put a text with a colon in quotes",
        ),
        ("", "rank.j2: it is empty: write description, inputs, output, sampling"),
        (f"{_FRONT}\nname: !!python/name:os.system", "not YAML as it is read here"),
        ("description: &a d\nname: *a", "no aliases"),
        ("description: [", "not YAML as it is read here"),
    ],
)
def test_front_matter_is_strict(pack: Path, front: str, message: str) -> None:
    body = (pack / "rank.j2").read_text().split("---\n", 2)[2]
    (pack / "rank.j2").write_text(f"---\n{front}\n---\n{body}")
    with pytest.raises(PromptError) as error:
        load_pack(pack)
    assert message in str(error.value)


def test_all_that_keeps_a_pack_from_being_compiled_is_said_together(pack: Path) -> None:
    (pack / "rank.j2").write_text((pack / "rank.j2").read_text().replace("budget:", "bugdet:", 1))
    (pack / "list.j2").write_text((pack / "list.j2").read_text() + "{% endif %}")
    (pack / "_item.de.j2").write_text("x")
    with pytest.raises(PackError, match=r"\(and 2 more: see genrec prompt lint\)") as error:
        load_pack(pack)
    assert {(one.file, one.cause.split(":")[0]) for one in error.value.faults} == {
        ("_item.de.j2", "it is for the language 'de'"),
        ("rank.j2", "bugdet"),
        ("list.j2", "does not compile"),
    }


def test_front_matter_that_is_missing_or_does_not_end_is_said_so(pack: Path) -> None:
    body = (pack / "rank.j2").read_text().split("---\n", 2)[2]
    for text, message in ((body, "no front matter: begin with ---"), (f"---\n{_FRONT}\n{body}", "does not end")):
        (pack / "rank.j2").write_text(text)
        with pytest.raises(PromptError, match=message):
            load_pack(pack)


def test_what_fails_in_a_partial_is_named_by_its_own_line(pack: Path) -> None:
    _rank(pack, '{% include "_outer.j2" %}')
    (pack / "_outer.j2").write_text('fine\n{% include "_inner.j2" %}')
    (pack / "_inner.j2").write_text("fine\n\n{{ user.shoe_size }}")
    with pytest.raises(RenderError) as error:
        load_pack(pack).render("rank", {"user": {"attributes": {}}, "history": []})
    assert (error.value.file, error.value.line) == ("_inner.j2", 3)
    assert str(error.value).startswith(f"{pack / '_inner.j2'}, line 3: does not render")


def test_a_template_sees_no_field_that_its_front_matter_does_not_allow(pack: Path) -> None:
    _rank(pack, "{% for name, value in user.attributes.items() %}{{ name }} {{ value }} {% endfor %}")
    text = (pack / "rank.j2").read_text().replace("output: label", "output: label\nuser_fields: [age]")
    (pack / "rank.j2").write_text(text)
    user = {"attributes": {"age": 29, "email": "a@b.org"}}
    assert load_pack(pack).render("rank", {"user": user, "history": []})[1]["content"] == "age 29"


def test_a_variant_stands_for_a_file_in_its_language_also_where_that_is_included(pack: Path) -> None:
    _rank(pack, '{% include "_who.j2" %}')
    for path in pack.glob("*.zh.j2"):
        path.unlink()
    (pack / "_who.j2").write_text("a person")
    (pack / "_who.zh.j2").write_text("一个人")
    loaded = load_pack(pack)
    data = {"user": {"attributes": {}}, "history": []}
    assert loaded.languages == ("en", "zh")
    assert [loaded.render("rank", data, language)[1]["content"] for language in ("en", "zh")] == ["a person", "一个人"]
    (pack / "_who.fr.j2").write_text("une personne")
    with pytest.raises(PromptError, match=r"_who\.fr\.j2: it is for the language 'fr': variants are for zh"):
        load_pack(pack)


@pytest.mark.parametrize(
    ("partials", "message"),
    [
        (
            {"_a.j2": "x"},
            "line 8: does not compile: includes '_b.j2', which is not there: did you mean '_a.j2'?",
        ),
        ({"_a.j2": "x", "_b.j2": '{% include "_b.j2" %}'}, "includes itself through _b.j2"),
        ({"_a.j2": '{% include "_b.j2" %}', "_b.j2": '{% include "_a.j2" %}'}, "includes itself through"),
        ({"_a.j2": "x", "_b.j2": "{% if %}"}, "_b.j2, line 1: does not compile"),
    ],
)
def test_partials_are_there_and_do_not_go_in_circles(pack: Path, partials: dict[str, str], message: str) -> None:
    _rank(pack, '{% include "_a.j2" %}{% include "_b.j2" %}')
    for name, text in partials.items():
        (pack / name).write_text(text)
    with pytest.raises(PromptError) as error:
        load_pack(pack)
    assert message in str(error.value)


def test_a_pack_that_is_not_there() -> None:
    with pytest.raises(PromptError, match=r"no prompt pack 'moives': did you mean 'movies'.*events, general, movies"):
        load_pack("moives")


def test_a_pack_by_the_folder_that_one_is_in(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pack / "samples")
    assert load_pack("..").name == "mine"
    monkeypatch.chdir(pack)
    assert (load_pack(".").name, load_pack(".").version) == ("mine", load_pack(pack).version)
    with pytest.raises(PromptError, match="no prompt pack ''"):
        load_pack("")


def test_a_folder_of_the_same_name_as_a_pack_that_ships(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pack.parent)
    (pack.parent / "movies").mkdir()
    assert load_pack("movies").folder == pack_folder() / "movies"  # data may lie there
    pack.rename(pack.parent / "shop")
    with pytest.raises(PromptError, match=r"'shop' ships with genrec and is a folder here too: say \./shop"):
        load_pack("shop")
    assert load_pack("./shop").folder == Path("shop")


def test_a_pack_without_a_template(pack: Path) -> None:
    (pack / "list.j2").unlink()
    with pytest.raises(PromptError, match=r"has no list\.j2"):
        load_pack(pack)


@given(st.text())
def test_cleaned_text_is_one_plain_line(text: str) -> None:
    cleaned = clean(text, 50)
    assert len(cleaned) <= 50
    assert cleaned == cleaned.strip()
    assert cleaned.isprintable() or not cleaned
    assert "<|" not in cleaned or "|>" not in cleaned


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a<|im_<|im_end|>end|>b", "a im_ end b"),
        ("[INST] do it [/INST]", "do it"),
        ("Alpha\u202eBeta\u200b", "AlphaBeta"),
        ("two\n\tlines", "two lines"),
        ("ﬁlm", "film"),
        ("<|im_start" + 50 * " " + "|>system", "system"),
        ("[REC] 2, List<String> and x < y > z", "[REC] 2, List and x < y > z"),
        ("Zoe\u0301" + 50 * "\u0301", "Zo" + "\u00e9" + 3 * "\u0301"),
        ("tea\x85A. more", "tea A. more"),
    ],
)
def test_control_text_does_not_survive(text: str, plain: str) -> None:
    assert clean(text) == plain
