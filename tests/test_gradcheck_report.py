"""The report of a gradient check: in a terminal, and in a notebook."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from autograd import Tensor, elementwise, linear
from autograd.gradcheck import GradcheckError, gradcheck

pytestmark = pytest.mark.usefixtures("own_primitives")


def wrong(x):
    return elementwise(lambda x: np.sin(x), lambda x: np.where(x > 0, 2.0, 1.0) * np.cos(x), name="wrong")(x)


def one_of_many(x, place):
    factor = np.where(np.arange(x.size) == place, 1.01, 1.0).reshape(x.shape)
    return elementwise(lambda x: np.sin(x), lambda x: factor * np.cos(x), name="one_of_many")(x)


# ---------------------------------------------------------------------- text


def test_it_names_the_place_the_cause_and_how_to_repeat():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(wrong, np.array([-1.0, 0.5]), seed=12)
    text = str(caught.value)
    assert "d out[1] / d in[1]" in text
    assert "1 of 4 entries differ" in text
    assert "again: gradcheck(wrong, np.array([-1.0, 0.5], dtype=np.float64), seed=12)" in text
    assert caught.value.result.seed == 12
    assert isinstance(caught.value, AssertionError)


def test_the_line_that_repeats_a_check_does_so():
    x = np.array([-1.0, 0.5])
    result = gradcheck(wrong, x, order=(1, 2), modes=("reverse",), rtol=1e-5, raise_exception=False)
    again = eval(result.call[:-1] + ", raise_exception=False)", {"gradcheck": gradcheck, "wrong": wrong, "np": np})
    assert str(again) == str(result)


@pytest.mark.parametrize("x", [np.array([np.nan, -np.inf, 1.0]), np.zeros((0, 2)), np.array(1 + 2j), np.float32(0.5)])
def test_the_line_spells_every_kind_of_input(x):
    result = gradcheck(lambda x: 2 * x, x, raise_exception=False)
    given = eval(result.call, {"gradcheck": lambda f, x, seed: x, "f": None, "np": np})
    assert given.dtype == x.dtype
    np.testing.assert_array_equal(given, x, strict=True)


@pytest.mark.parametrize("size", [100, 5000])
def test_one_wrong_entry_of_a_large_input_is_located(size, rng):
    place = int(rng.integers(size))
    result = gradcheck(lambda x: one_of_many(x, place), rng.uniform(-1, 1, size), raise_exception=False)
    (finding,) = result.findings
    assert finding.place == f"d out[{place}] / d in[{place}]"
    np.testing.assert_allclose(finding.analytic / finding.numerical, 1.01, rtol=1e-6)


def test_a_wrong_sum_of_a_large_input_is_located(rng):
    result = gradcheck(lambda x: np.sum(one_of_many(x, 321)), rng.uniform(-1, 1, (60, 100)), raise_exception=False)
    assert result.findings[0].place == "d out[] / d in[3, 21]"


def test_rounding_does_not_head_the_report():
    result = gradcheck(lambda x: np.sum(np.exp(x) / np.sum(np.exp(x))), np.array([0.3, 0.1, -0.5]))
    assert all(finding.error < 1e-6 for finding in result.findings)


# ---------------------------------------------------------------------- notebooks


class Reader(HTMLParser):
    """Collects elements, and complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def cells(reader):
    return [attributes for tag, attributes in reader.elements if tag == "i"]


def test_the_table_says_what_the_text_says():
    result = gradcheck(wrong, np.array([-1.0, 0.5]), raise_exception=False)
    read = Reader(result._repr_html_())
    for word in ("input 0 (2,) float64", "1 of 4 entries differ", "likely cause", result.call):
        assert word in read.text


def test_a_map_has_a_cell_for_each_entry_and_words_for_those_who_do_not_see_it():
    x = np.linspace(-1, 1, 12).reshape(3, 4)
    result = gradcheck(lambda x: one_of_many(x, 6), x, raise_exception=False)
    read = Reader(result._repr_html_())
    assert len(cells(read)) == 12
    titles = [cell["title"] or "" for cell in cells(read)]
    assert titles[6].startswith("[1, 2]: analytic ")
    assert len({cell["style"] for cell in cells(read)}) >= 2
    strongest = [k for k, cell in enumerate(cells(read)) if "rgba(214" in (cell["style"] or "")]
    assert strongest == [6]
    (label,) = [attributes["aria-label"] for _, attributes in read.elements if attributes.get("role") == "img"]
    assert "3 × 4 entries" in label
    assert "1 with a relative error above 1e-6" in label


def test_complex_inputs_have_a_cell_for_each_number():
    f = linear(lambda x: (1 + 2j) * x, x=lambda g: (1 + 2j) * g)
    result = gradcheck(f, np.array([1 + 1j, 2 - 1j, 0.5j]), raise_exception=False)
    for each in result._repr_html_().split("<details")[1:]:
        assert each.count("<i ") == 3


@pytest.mark.parametrize("shape", [(2000,), (), (0, 3), (1,)])
def test_there_is_no_map_of_what_is_too_large_or_a_single_number(shape):
    assert not cells(Reader(gradcheck(lambda x: np.sum(np.sin(x)), np.full(shape, 0.5))._repr_html_()))


def test_all_text_is_escaped():
    w = Tensor([1.0, 2.0], requires_grad=True, name="<script>alert('&')</script>")
    html = gradcheck(lambda x: np.sum(w * x), np.array([0.5, -0.5]))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert re.search(r"\son\w+=", html) is None
