"""The page that plays the backward pass, in a real browser: what lights up, which numbers show, that it is alone."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Function, Tensor, draw, record_lines

webdriver = pytest.importorskip("selenium.webdriver", reason='needs selenium: pip install "chainrule[test]"')
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
in_a_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver here (apt install chromium chromium-driver)"
)
drawn = pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz's dot is not installed")
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.xdist_group("browser"),
]
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-default-apps", "--hide-scrollbars",
    "--window-size=1360,820",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: Any) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """A page in the browser, and what a reader would look for in it."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver = driver
        driver.get_log("browser")
        driver.get_log("performance")
        driver.get(path.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def step(self) -> str:
        return self.find("#step").text

    @property
    def count(self) -> str:
        return self.find("#count").text

    def boxes(self, state: str) -> list[str]:
        """Titles of the boxes in a state: "now", "done", "selected", "hit"."""
        return [g.get_attribute("aria-label").split(",")[0] for g in self.all(f"g.node.{state}")]

    def box(self, title: str) -> Any:
        return self.find(f'g.node[aria-label^="{title},"]')

    def gradient(self, title: str) -> str:
        texts = self.box(title).find_elements(By.CSS_SELECTOR, 'text[fill="#b45309"]:not(.pending)')
        return " ".join(self.run("return arguments[0].textContent", t) for t in texts)

    def arrows(self, state: str) -> list[str]:
        script = "return [...document.querySelectorAll(`g.edge.${arguments[0]}`)].map((g) => g.textContent.trim())"
        return sorted(self.run(script, state))

    def formula(self, number: int = 0) -> str:
        """The text of a card's formula without spaces."""
        card = self.all("#step .card")[number]
        return re.sub(r"\s", "", self.run("return arguments[0].querySelector('.equation').textContent", card))

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that the page has asked for, but for itself."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        here = self.driver.current_url
        assert any(each["request"]["url"] == here for each in sent)
        others = [each["request"]["url"] for each in sent if each["documentURL"] == here != each["request"]["url"]]
        return others + self.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Saves a picture as a page and opens it; afterwards, nothing may have gone wrong in it or left it."""
    pages: list[Page] = []

    def open_page(t: Any, names: Any = None, **switches: Any) -> Page:
        path = tmp_path / f"{len(pages)}.html"
        assert draw(t, names, **switches).save(path) == str(path)
        pages.append(Page(browser, path))
        return pages[-1]

    yield open_page
    for page in pages[-1:]:
        assert page.complaints() == []
        assert page.requests() == []


def neuron() -> tuple[Tensor, dict[str, Tensor]]:
    """x = 0.5, w = 1.2, b = −0.8, y = 0; one sigmoid, half the squared error."""
    x, w, b = Tensor(0.5), Tensor(1.2, requires_grad=True, name="w"), Tensor(-0.8, requires_grad=True, name="b")
    with record_lines():
        z = w * x + b
        prediction = F.sigmoid(z)
        loss = 0.5 * prediction**2
    return loss, {"x": x, "w": w, "b": b, "z": z, "ŷ": prediction, "L": loss}


def transformer(layers: int = 2) -> Tensor:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
    model = nn.TransformerEncoder(layer, layers)
    return (model(Tensor(np.random.default_rng(0).normal(size=(2, 4, 16)).astype(np.float32))) ** 2).mean()


# ---------------------------------------------------------------------- stepping


@in_a_browser
@drawn
def test_a_neuron_step_by_step(opened):
    page = opened(*neuron())
    assert "The backward pass" in page.step
    assert page.boxes("now") == page.boxes("done") == []
    assert page.gradient("L = multiply") == "grad 1"
    lit = []
    for _ in range(7):
        page.find("#forward").click()
        lit += page.boxes("now")
    assert lit == ["L = multiply", "z₂ = power", "ŷ = sigmoid", "z = add", "z₁ = multiply", "b", "w"]
    assert page.count == "7 of 7"
    assert not page.find("#forward").is_enabled()
    assert page.gradient("w") == "grad 0.05571"
    assert page.gradient("b") == "grad 0.1114"
    assert "Gradients of the leaves".upper() in page.step.upper()
    page.find("#back").click()
    page.find("#back").click()
    assert page.boxes("now") == ["z₁ = multiply"]
    assert page.gradient("w") == "grad 0.05571"  # sent in this step
    page.find("#back").click()
    assert page.gradient("w") == ""


@in_a_browser
@drawn
def test_the_rule_of_a_step_with_its_numbers(opened):
    page = opened(*neuron())
    for _ in range(3):
        page.press(Keys.ARROW_RIGHT)
    assert "ŷ = sigmoid" in page.step
    assert page.formula() == "∂L∂z=∂L∂ŷ·ŷ·(1−ŷ)=0.4502·0.4502·(1−0.4502)=0.1114"
    assert page.arrows("now") == ["0.1114"]
    assert page.arrows("done") == ["0.1114", "0.4502", "0.5"]
    assert "∂L/∂z = ∂L/∂ŷ · ŷ · (1 − ŷ) = 0.4502 · 0.4502 · (1 − 0.4502) = 0.1114" in page.find(
        "#spoken"
    ).get_attribute("textContent")
    assert page.find("#spoken").get_attribute("aria-live") == "polite"
    page.find("#step .card .link").click()
    assert page.boxes("selected") == ["z = add"]


@in_a_browser
@drawn
def test_gradients_add_up_term_by_term(opened):
    w = Tensor(3.0, requires_grad=True, name="w")
    page = opened(w * w + 5.0 * w)
    seen = []
    for _ in range(4):
        page.press(Keys.ARROW_RIGHT)
        seen.append(page.gradient("w"))
    assert seen[-1] == "grad 11"
    assert [s for s in seen if s] in (["grad 5", "grad 11", "grad 11"], ["grad 6", "grad 11", "grad 11"])
    page.press(Keys.END, Keys.ARROW_LEFT)
    assert "of 3, in all 11" in page.step


@in_a_browser
@drawn
def test_keys_slider_and_play(opened):
    page = opened(*neuron())
    page.press(Keys.END)
    assert page.count == "7 of 7"
    page.press(Keys.HOME)
    assert page.count == "0 of 7"
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert page.count == "1 of 7"
    slider = page.find("#slider")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert page.count == "2 of 7"
    assert slider.get_attribute("aria-valuetext") == "2 of 7: z₂ = power"
    page.run("document.activeElement.blur()")
    page.press(" ")
    assert page.find("#play").get_attribute("aria-pressed") == "true"
    WebDriverWait(page.driver, 20).until(lambda _: page.count == "3 of 7")
    page.press(" ")
    assert page.find("#play").get_attribute("aria-pressed") == "false"


# ---------------------------------------------------------------------- looking


@in_a_browser
@drawn
def test_a_click_shows_what_is_known_of_a_box(opened):
    page = opened(*neuron())
    page.box("ŷ = sigmoid").click()
    detail = page.find("#detail").text
    for part in ("ŷ = sigmoid", "0.4502", "float64", "test_page.py:", "out", "8 B", "z = add"):
        assert part in detail
    assert page.boxes("selected") == ["ŷ = sigmoid"]
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert "GRADIENT AFTER STEP 2" in page.find("#detail").text.upper()
    page.press(Keys.ESCAPE)
    assert not page.find("#detail").is_displayed()


@in_a_browser
@drawn
def test_boxes_are_reached_and_opened_by_keyboard(opened):
    page = opened(*neuron())
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.textContent") == "Skip the graph"
    box = page.box("b")
    assert (box.get_attribute("role"), box.get_attribute("tabindex")) == ("button", "0")
    page.run("arguments[0].focus()", box)
    page.press(Keys.ENTER)
    assert page.boxes("selected") == ["b"]
    assert "−0.8" in page.find("#detail").text
    stroke = "return parseFloat(getComputedStyle(arguments[0].querySelector('polygon, path')).strokeWidth)"
    WebDriverWait(page.driver, 5).until(lambda _: page.run(stroke, box) > 2)  # focus is seen


@in_a_browser
@drawn
def test_search(opened):
    page = opened(transformer(), depth=None)
    page.press("/")
    page.press("norm1.weight")
    assert page.find("#found").text == "2 found"
    assert page.boxes("hit") == ["layers.0.norm1.weight", "layers.1.norm1.weight"]
    page.press(Keys.ENTER)
    assert page.boxes("selected") == ["layers.0.norm1.weight"]
    page.press(Keys.ENTER)
    assert page.boxes("selected") == ["layers.1.norm1.weight"]
    assert page.find("#found").text == "2 of 2"
    page.press(Keys.ESCAPE)
    assert page.all("#stage.searching") == []
    page.press("/")
    page.press("multiheadattention")
    assert int(page.find("#found").text.split()[0]) >= 10  # by the module that they lie in
    page.press("?!")
    assert page.find("#found").text == "0 found"


@in_a_browser
@drawn
def test_modules_fold_and_unfold(opened):
    page = opened(transformer(), depth=1)
    layers = ["layers.0: TransformerEncoderLayer", "layers.1: TransformerEncoderLayer"]
    assert [title for title in layers if page.boxes("fold").count(title)] == layers
    for _ in range(8):
        page.press(Keys.ARROW_RIGHT)
    assert page.boxes("now") == layers[1:]  # a step within a folded module lights that
    page.box(layers[1]).click()
    assert "Stands for 15 operations" in page.find("#detail").text
    page.find("#detail button:not(.close)").click()
    assert page.all('g.node[aria-label^="layers.1: TransformerEncoderLayer"]') == []
    assert len(page.boxes("now")) == 1
    assert len(page.boxes("done")) >= 4
    page.run("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", page.all("g.cluster.closes")[1])
    assert set(layers) <= set(page.boxes("fold"))
    names = [option.text for option in page.all("#depth option")]
    assert names[0] == "to depth 0"
    assert names[-1] == "all open"
    page.run(
        "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))", page.find("#depth"), 0
    )
    assert page.boxes("fold") == ["TransformerEncoder"]


@in_a_browser
@drawn
def test_zoom_and_pan(opened):
    page = opened(*neuron())
    frame = lambda: [float(x) for x in page.find("#stage svg").get_dom_attribute("viewBox").split()]
    start = frame()
    page.press("+")
    assert frame()[2] < start[2]
    page.find("#farther").click()
    page.press("0")
    assert frame() == pytest.approx(start)
    stage = page.find("#stage")
    page.run("arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -300, clientX: 200, clientY: 200}))", stage)
    near = frame()
    assert near[2] < start[2]
    drag = webdriver.ActionChains(page.driver).move_to_element_with_offset(stage, -300, 150).click_and_hold()
    drag.move_by_offset(80, -40).release().perform()
    assert frame()[0] < near[0]
    assert frame()[1] > near[1]
    assert page.boxes("selected") == []
    pinch = """
        const fire = (kind, id, x) => arguments[0].dispatchEvent(new PointerEvent(kind,
            {pointerId: id, clientX: x, clientY: 300, bubbles: true}));
        fire("pointerdown", 11, 300); fire("pointerdown", 12, 400);
        fire("pointermove", 12, 600); fire("pointerup", 11, 300); fire("pointerup", 12, 600);
    """
    before = frame()
    page.run(pinch, stage)
    assert frame()[2] == pytest.approx(before[2] / 3, rel=1e-6)


@in_a_browser
@drawn
def test_light_and_dark(opened):
    page = opened(*neuron())
    colour = lambda: page.run("return getComputedStyle(document.body).backgroundColor")
    scheme = lambda value: page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": value}]}
    )
    scheme("light")
    light = colour()
    scheme("dark")
    dark = colour()
    assert sum(map(int, re.findall(r"\d+", light)[:3])) > 600
    assert sum(map(int, re.findall(r"\d+", dark)[:3])) < 150
    page.find("#theme").click()
    assert colour() == light
    page.find("#theme").click()
    assert colour() == dark
    scheme("")


@in_a_browser
@drawn
@pytest.mark.parametrize("width", [390, 1200])
def test_long_equations_are_broken_and_nothing_is_wider_than_the_screen(opened, width):
    page = opened(transformer(1))
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        assert "standardize_vjp" in page.formula()
        assert page.all("#step .card .broken math")
        cut = (
            "return [...document.querySelectorAll('.equation')].filter((e) => e.scrollWidth > e.clientWidth + 1).length"
        )
        assert page.run(cut) == 0
        assert page.run("return document.documentElement.scrollWidth") <= page.run("return innerWidth") == width
        assert page.run("return document.querySelector('footer').getBoundingClientRect().right") <= width
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@in_a_browser
@drawn
def test_motion_is_reduced_where_that_is_preferred(opened):
    page = opened(*neuron())
    duration = lambda: page.run("return getComputedStyle(document.querySelector('.node path')).transitionDuration")
    assert duration() != "0s"
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    assert duration() == "0s"
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@in_a_browser
@drawn
def test_everything_operable_has_a_name(opened):
    page = opened(transformer())
    page.press(Keys.ARROW_RIGHT)
    nameless = page.run("""
        return [...document.querySelectorAll("button, input, select, [role=button]")].filter((e) =>
            !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)
    """)
    assert nameless == []
    assert page.run("return document.documentElement.lang") == "en"


# ---------------------------------------------------------------------- hard cases

HOSTILE = "a\"'<b>&</script><script>window.broken = 1</script><!--\u2028\\N{{data}}é"


@in_a_browser
@drawn
def test_hostile_names(opened):
    w = Tensor(2.0, requires_grad=True, name=HOSTILE)
    page = opened(w * Tensor(3.0), {"</template><img src=x onerror='window.broken = 2'>": Tensor(3.0)})
    page.press(Keys.END)
    assert page.run("return window.broken") is None
    assert "</script><script>" in page.step
    assert page.all("#step b, #step script, #stage img") == []


@in_a_browser
@drawn
def test_values_that_are_no_plain_numbers(opened):
    x = Tensor([np.nan, np.inf, 1.0], requires_grad=True, name="x")
    z = Tensor(1 + 2j, requires_grad=True, name="c")
    nothing = Tensor(np.zeros((0, 3)), requires_grad=True, name="nothing")
    loss = (x * x).sum() + np.abs(z) ** 2 + nothing.sum()
    page = opened(loss)
    page.press(Keys.END)
    assert "nan" in page.gradient("x")
    assert page.gradient("c") == "grad 2+4j"
    page.box("x").click()
    assert "1 NaN, 1 infinite of 3" in page.find("#detail").text


@in_a_browser
@drawn
def test_a_released_graph_shows_its_structure(opened):
    loss, names = neuron()
    loss.backward()
    page = opened(loss, names)
    assert "retain_graph=True" in page.step
    assert page.count == "no steps"
    assert not page.find("#play").is_enabled()
    assert page.gradient("w") == "grad 0.05571"  # from .grad
    page.press(Keys.ARROW_RIGHT, Keys.END, " ")
    page.box("ŷ = sigmoid").click()
    assert "released by a backward pass" in page.find("#detail").text


@in_a_browser
@drawn
def test_ten_thousand_operations(opened):
    y = Tensor(1.0, requires_grad=True, name="x")
    for _ in range(10_000):
        y = y * 1.0
    page = opened(y)
    assert "The first 2,000 steps of 10,001" in page.step
    page.press(Keys.END)
    assert page.count == "2000 of 2000"
    assert len(page.boxes("now")) == 1


@in_a_browser
@drawn
def test_a_long_loop(opened):
    weight, hidden = Tensor(np.eye(2), requires_grad=True, name="w"), Tensor(np.ones((1, 2)))
    for _ in range(60):
        hidden = np.tanh(hidden @ weight)
    page = opened(hidden.sum())
    copies = page.all("g.node.copy")
    assert copies
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert len(page.arrows("now")) == 2  # to the step before, and to the copy of the weight
    page.run("arguments[0].dispatchEvent(new MouseEvent('click'))", copies[-1])
    assert page.find("#detail h2").text == "w"


@in_a_browser
@drawn
def test_a_rule_that_fails(opened):
    class Broken(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError("no such rule")

    x = Tensor(1.0, requires_grad=True)
    page = opened(Broken.apply(x) * 2.0)
    assert "ends early: no such rule" in page.step
    page.press(Keys.END)
    assert page.count == "1 of 1"


@in_a_browser
def test_without_a_drawing_there_is_a_list(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    page = opened(*neuron())
    assert "install its 'dot' program" in page.find("#stage").text
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.find("#stage button.now").text == "ŷ = sigmoid"
    assert page.formula().endswith("=0.1114")
    page.find('#stage button[data-box="n0"]').click()
    assert page.find("#detail").is_displayed()


# ---------------------------------------------------------------------- the file


def data_of(text: str) -> Any:
    (written,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    return json.loads(written)


@drawn
def test_the_page_is_complete_in_itself():
    text = draw(*neuron()).page
    assert re.search(r"(?:src|href)=[\"'](?!#)", text) is None
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


@drawn
def test_the_same_graph_gives_the_same_page():
    assert draw(*neuron()).page == draw(*neuron()).page


@drawn
def test_drawing_a_page_changes_nothing():
    loss, names = neuron()
    calls: list[Any] = []
    names["z"].register_hook(calls.append)
    text = draw(loss, names).page
    assert "Hooks on 1 tensor were not run" in text
    assert calls == []
    loss.backward()
    assert len(calls) == 1


@drawn
def test_large_arrays_are_described_not_carried():
    x = Tensor(np.arange(1e6), requires_grad=True)
    text = draw((x * 2.0).sum()).page
    assert len(text) < 120_000


@drawn
def test_the_numbers_of_a_pass_are_the_engines():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    loss = (model(Tensor(np.ones((4, 3)))) ** 2).mean()
    data = data_of(draw(loss).page)
    loss.backward()
    last = {step["box"]: step["arrived"]["lines"] for step in data["steps"]}
    for name, parameter in model.named_parameters():
        (key,) = [key for key, box in data["boxes"].items() if box["title"] == name]
        printed = " ".join(last[key]).replace("−", "-")
        found = [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", printed)]
        np.testing.assert_allclose(found, parameter.grad.numpy().reshape(-1), rtol=1e-3)


@drawn
def test_roots_that_are_no_scalars():
    x = Tensor(np.ones(3), requires_grad=True, name="x")
    data = data_of(draw([x * 2.0, x + 1.0]).page)
    assert any("The pass starts with ones" in note for note in data["notes"])
    assert data["steps"][-1]["arrived"]["lines"] == ["[3, 3, 3]"]
    text = draw(x * 2.0, {"L": x}).page
    assert "<title>The backward pass of ℒ</title>" in text
    assert "The pass starts with ones: ℒ is the sum of the entries of z₁." in text


def test_a_tensor_without_a_graph(tmp_path):
    text = draw(Tensor([1.0, 2.0])).page
    assert data_of(text)["steps"] == []
