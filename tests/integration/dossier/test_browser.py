"""The page in a real browser: narrow, dark, printed, offline, readable.

Needs the package playwright and a Chromium (``TITIAN_CHROMIUM`` names one).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from titian.dossier.write import write_dossier

pytestmark = pytest.mark.slow

SAMPLE = Path(__file__).parents[2] / "unit" / "dossier" / "sample.py"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# WCAG 2.2, 1.4.3: contrast of an element's text against what is painted behind it.
CONTRAST = """
() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const c = [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
  };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const c = rgb(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const worst = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const ink = rgb(node instanceof SVGElement ? style.fill : style.color);
    if (node instanceof SVGElement && node.closest(".heatmap")) continue;
    const pair = [light(ink), light(behind(node))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) worst.push([node.tagName, node.className.toString(), ratio]);
  }
  return worst;
}
"""


def load_sample():
    spec = importlib.util.spec_from_file_location("dossier_sample", SAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["dossier_sample"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    sample = load_sample()
    folder = tmp_path_factory.mktemp("dossier")
    project, statements = sample.sample_run(name=f"chest-x-ray triage {'long' * 30}")
    project = replace(project, intended_use=f"{project.intended_use} {sample.LONG}")
    write_dossier(folder, project=project, statements=statements, version="0.1.0")
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    named = os.environ.get("TITIAN_CHROMIUM")
    binary = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if not binary:
        pytest.skip("no Chromium found; set TITIAN_CHROMIUM to one")
    with playwright.sync_playwright() as runner:
        chromium = runner.chromium.launch(executable_path=binary, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, page_file):
    """A function that opens the page and records what it asks for."""
    contexts = []

    def open_page(width, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.asked = []
        page.complaints = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.goto(page_file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_sticks_out_sideways(opened, width):
    page = opened(width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
def test_no_cell_is_wider_than_its_place(opened, width):
    """Whatever does not fit can be scrolled within its own region, never cut off."""
    cut = opened(width).evaluate(
        """() => [...document.querySelectorAll("section *, header *")]
          .filter(n => n.scrollWidth > n.clientWidth + 1 && n.clientWidth > 0
                  && getComputedStyle(n).overflowX === "hidden"
                  && !n.closest("thead, .hidden"))
          .map(n => n.tagName + "." + n.className)"""
    )
    assert cut == []


def test_page_asks_for_nothing_but_itself(opened, page_file):
    page = opened(1280)
    asked = [url for url in page.asked if not url.startswith("data:image/png;base64,")]
    assert asked == [page_file.as_uri()]
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(opened, scheme):
    page = opened(1280, scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(15, 18, 22)"}[scheme]
    assert page.evaluate(CONTRAST) == []


def test_contrast_check_turns_red(opened):
    page = opened(1280)
    page.add_style_tag(content=".lead { color: #bbb !important; }")
    assert page.evaluate(CONTRAST)


def test_every_figure_has_an_accessible_name(opened):
    page = opened(1280)
    figures = page.get_by_role("figure").all()
    assert len(figures) == 9
    assert all(figure.get_attribute("aria-label") for figure in figures)
    images = page.get_by_role("img").all()
    assert len(images) > 15
    assert all(image.get_attribute("aria-label") for image in images)


def test_tables_stay_tables_for_a_screen_reader_when_they_are_stacked(opened):
    page = opened(360)
    table = page.locator("#verdicts").get_by_role("table")
    assert table.count() == 1
    assert table.get_by_role("row").count() == 15
    assert table.get_by_role("rowheader").count() == 14


def test_landmarks_are_there(opened):
    page = opened(1280)
    for role in ("banner", "main", "contentinfo", "navigation"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).count() == 1


def test_print_is_light_and_leaves_nothing_open(opened, tmp_path):
    page = opened(1280, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 29, 33)"
    data = page.pdf(path=tmp_path / "print.pdf", format="A4", prefer_css_page_size=True)
    assert data.startswith(b"%PDF-")
