"""A report in a real browser: headless Chromium through selenium, with axe-core where it is installed.

Needs chromium and chromedriver on the PATH (Debian: chromium, chromium-driver) and the package selenium. The last test
needs axe-core: `npm install axe-core` in the checkout, or its axe.min.js named by the environment variable AXE_CORE.
"""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from auralign.config.reading import read_config
from auralign.figures import all_figures
from auralign.figures.contrast import contrast
from auralign.report import write_report
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results

selenium = pytest.importorskip("selenium", reason="the package selenium is not installed")

from selenium.webdriver import Chrome, ChromeOptions  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CONFIG = """
name: browser
features:
  net: {table: net.tsv}
  plain: {table: plain.tsv}
targets: {kind: table, table: y.tsv}
splits: {kind: shuffle, n_splits: 4, train_size: 16, test_size: 14, seed: 1}
estimators:
  ridge: {kind: ridge, alphas: {logspace: [-3, 3, 7]}}
tests:
  - {metric: r2, a: {features: net}, b: {features: plain}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small result with its report, and a second page that compares it with a copy of itself."""
    folder = tmp_path_factory.mktemp("study")
    random = np.random.default_rng(3)
    stimuli = [f"stim{n}" for n in range(30)]
    x = random.standard_normal((30, 12))
    y = x[:, :4] @ random.standard_normal((4, 2)) + 0.5 * random.standard_normal((30, 2))
    units = pd.DataFrame(x, columns=[f"u{n}" for n in range(12)]).assign(stimulus=stimuli)
    layers = [units.assign(layer=n, u0=random.standard_normal(30) * n) for n in range(3)]
    pd.concat(layers).to_csv(folder / "net.tsv", sep="\t", index=False)
    units[["stimulus", "u0", "u1"]].to_csv(folder / "plain.tsv", sep="\t", index=False)
    responses = pd.DataFrame(y, columns=["first", "second"]).assign(stimulus=stimuli)
    responses.to_csv(folder / "y.tsv", sep="\t", index=False)
    (folder / "browser.yml").write_text(CONFIG, encoding="utf-8")
    run_comparison(read_config(folder / "browser.yml"), folder / "out")
    write_report([folder / "out"])
    shutil.copytree(folder / "out", folder / "again")
    write_report([folder / "out", folder / "again"], folder / "compared.html")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium and chromedriver are not on the PATH (Debian: chromium, chromium-driver)")
    options = ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options=options, service=Service(driver)) as chrome:
        yield chrome


def _open(browser, page: Path, width: int = 1400, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.as_uri())


def _wait_for(browser, condition: Callable[[], bool]) -> None:
    WebDriverWait(browser, 20, poll_frequency=0.05).until(lambda _: condition())


def _open_all_tables(browser) -> None:
    browser.execute_script("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    # tables are prepared by the event of opening, which comes later
    ready = "return [...document.querySelectorAll('details.table')].every((one) => one.dataset.ready)"
    _wait_for(browser, lambda: browser.execute_script(ready))


def _draw_all(browser) -> None:
    """Have all images drawn, also those far below."""
    browser.execute_script("document.querySelectorAll('img').forEach((one) => { one.loading = 'eager'; })")
    drawn = "return [...document.querySelectorAll('figure img')].every((one) => one.complete && one.naturalWidth > 0)"
    _wait_for(browser, lambda: browser.execute_script(drawn))


def _pixels(element) -> np.ndarray:
    """What is seen of an element: [row, column, RGB], 0 to 255."""
    with Image.open(io.BytesIO(element.screenshot_as_png)) as image:
        return np.asarray(image.convert("RGB"))


def _column(browser, table: str, name: str) -> list[str]:
    """Return the text of a column in the order shown."""
    script = """
        const table = document.getElementById(arguments[0]);
        const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
        const place = names.indexOf(arguments[1]);
        return [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.order ?? row.cells[place].textContent);
    """
    return browser.execute_script(script, f"table-{table}-data", name)


def _heading(browser, table: str, name: str):
    headings = browser.find_elements(By.CSS_SELECTOR, f"#table-{table}-data thead th")
    return next(one for one in headings if one.text.split("\n")[0].strip() == name)


@pytest.mark.parametrize("name", ["out/report.html", "compared.html"])
def test_the_page_opens_from_disk_without_errors_or_requests(browser, folder, name):
    browser.get_log("browser"), browser.get_log("performance")
    _open(browser, folder / name)
    _open_all_tables(browser)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {(folder / name).as_uri()}


@pytest.mark.parametrize("width", [320, 400, 1400])
@pytest.mark.parametrize("name", ["out/report.html", "compared.html"])
def test_nothing_is_wider_than_the_window(browser, folder, name, width):
    _open(browser, folder / name, width)
    _open_all_tables(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_tables_sort_by_click_and_by_keyboard(browser, folder):
    _open(browser, folder / "out" / "report.html")
    values = pd.read_csv(folder / "out" / "layer_choice.tsv", sep="\t").query("metric == 'r2_corr' and layers == 'all'")
    best = [float(v) for v in _column(browser, "best_layers", "median")]
    # every target, and all of them together
    assert len(best) > len(values) > 0
    assert all(np.isclose(best, nested, atol=6e-4).any() for nested in values["nested"])
    heading = _heading(browser, "best_layers", "median")
    heading.click()
    _wait_for(browser, lambda: heading.get_attribute("aria-sort") == "ascending")
    np.testing.assert_array_equal([float(v) for v in _column(browser, "best_layers", "median")], np.sort(best))
    control = heading.find_element(By.CSS_SELECTOR, "[tabindex]")
    control.send_keys(Keys.ENTER)
    _wait_for(browser, lambda: heading.get_attribute("aria-sort") == "descending")
    shown = [float(v) for v in _column(browser, "best_layers", "median")]
    np.testing.assert_array_equal(shown, np.sort(best)[::-1])


def test_tables_filter_by_several_words_and_say_how_many_rows_are_left(browser, folder):
    _open(browser, folder / "out" / "report.html")
    _open_all_tables(browser)
    table = browser.find_element(By.ID, "table-summary")
    table.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("second net")
    summary = pd.read_csv(folder / "out" / "summary.tsv", sep="\t")
    kept = summary.query("target == 'second' and features == 'net'")
    assert set(_column(browser, "summary", "target")) == {"second"}
    assert len(_column(browser, "summary", "target")) == len(kept)
    assert table.find_element(By.CSS_SELECTOR, "[role=status]").text == f"{len(kept)} of {len(summary)} rows"


def test_the_download_holds_the_full_numbers_of_the_rows_shown(browser, folder, tmp_path):
    _open(browser, folder / "out" / "report.html")
    _open_all_tables(browser)
    options = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", options)
    table = browser.find_element(By.ID, "table-summary")
    table.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("net")
    table.find_element(By.CSS_SELECTOR, "[data-download]").send_keys(Keys.ENTER)
    _wait_for(browser, (tmp_path / "summary.tsv").exists)
    saved = pd.read_csv(tmp_path / "summary.tsv", sep="\t")
    summary = pd.read_csv(folder / "out" / "summary.tsv", sep="\t")
    assert (saved.pop("depth") == saved["layer"] / 2).all()  # of three layers; only the page has it
    expected = summary[summary["features"] == "net"][saved.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(saved, expected, check_exact=True)


def test_figures_are_described_and_enlarge_by_keyboard(browser, folder):
    _open(browser, folder / "out" / "report.html")
    figures = browser.find_elements(By.CSS_SELECTOR, "figure")
    assert len(figures) > 3
    _draw_all(browser)
    for figure in figures:
        assert len(figure.find_element(By.TAG_NAME, "img").get_attribute("alt")) > 20
    button = figures[1].find_element(By.CSS_SELECTOR, "[data-enlarge]")
    button.send_keys(Keys.ENTER)
    dialog = browser.find_element(By.ID, "zoom")
    image = dialog.find_element(By.TAG_NAME, "img")
    assert dialog.is_displayed()
    assert image.get_attribute("alt") == figures[1].find_element(By.TAG_NAME, "img").get_attribute("alt")
    width = image.size["width"]
    assert width > figures[1].size["width"]
    dialog.find_element(By.CSS_SELECTOR, "[data-zoom='1.25']").send_keys(Keys.ENTER)
    assert image.size["width"] == pytest.approx(1.25 * width, rel=0.01)
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
    assert browser.switch_to.active_element == button


@pytest.mark.parametrize("width", [320, 400, 1400])
def test_type_in_figures_has_eight_points_at_the_width_that_is_shown(browser, folder, width):
    _open(browser, folder / "out" / "report.html", width)
    _draw_all(browser)
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('figure')].map((one) => "
        "[one.querySelector('[data-save]').dataset.save, one.querySelector('img').getBoundingClientRect().width])"
    )
    made = {figure.name: figure.figure for figure in all_figures(read_results(folder / "out"))}
    assert len(drawn) == len(made) > 3
    for file, shown in drawn:
        figure = made[file.split(".")[0]]
        scale = shown / (96 * figure.get_figwidth())
        for text in figure.findobj(Text):
            if text.get_text() and text.get_visible():
                assert text.get_fontsize() * scale >= 8.0, (file, text.get_text(), shown)


def test_a_figure_wider_than_a_small_window_scrolls_by_keyboard(browser, folder):
    _open(browser, folder / "out" / "report.html", 320)
    _draw_all(browser)
    frame = browser.find_element(By.CSS_SELECTOR, "figure .drawn")
    _wait_for(browser, lambda: frame.get_attribute("tabindex") == "0")
    assert len(frame.get_attribute("aria-label")) > 5
    frame.send_keys(Keys.ARROW_RIGHT)
    _wait_for(browser, lambda: browser.execute_script("return arguments[0].scrollLeft", frame) > 0)


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_figures_follow_the_scheme_of_the_reader(browser, folder, scheme, light):
    _open(browser, folder / "out" / "report.html", scheme=scheme)
    _draw_all(browser)
    for image in browser.find_elements(By.CSS_SELECTOR, "figure img"):
        shown = browser.execute_script("return [arguments[0].currentSrc, arguments[0].src]", image)
        assert (shown[0] == shown[1]) is light
    figure = browser.find_element(By.CSS_SELECTOR, "figure")
    pixels = _pixels(figure.find_element(By.TAG_NAME, "img"))
    corner = pixels[2, 2] / 255
    assert tuple(np.round(corner * 255)) == ((255, 255, 255) if light else (0x1D, 0x23, 0x29))
    # what is enlarged is what was shown
    figure.find_element(By.CSS_SELECTOR, "[data-enlarge]").send_keys(Keys.ENTER)
    dialog = browser.find_element(By.ID, "zoom")
    large = browser.execute_script("return arguments[0].querySelector('img').src", dialog)
    assert large == browser.execute_script("return document.querySelector('figure img').currentSrc")
    dialog.find_element(By.CSS_SELECTOR, "[data-close]").send_keys(Keys.ENTER)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_table_that_goes_on_beyond_the_edge_shows_a_shadow_there(browser, folder, scheme):
    _open(browser, folder / "out" / "report.html", 400, scheme)
    frame = browser.find_element(By.CSS_SELECTOR, "#table-best_layers .scroll")
    assert browser.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth + 40", frame)

    def contrasts() -> tuple[float, float]:
        """Contrast of the left and the right edge to the page, between two lines of text in the first row."""
        row = frame.find_element(By.CSS_SELECTOR, "tbody tr")
        place = round(row.rect["y"] - frame.rect["y"]) + 4
        line = _pixels(frame)[place].astype(float) / 255
        page = tuple(to_rgb({"light": "#fff", "dark": "#14181c"}[scheme]))
        # the border is the outermost pixel
        return contrast(tuple(line[2]), page), contrast(tuple(line[-3]), page)

    left, right = contrasts()
    assert left < 1.05 and right > 1.4
    browser.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", frame)
    left, right = contrasts()
    assert left > 1.4 and right < 1.05


def test_the_first_stop_of_the_keyboard_skips_to_the_findings(browser, folder):
    _open(browser, folder / "out" / "report.html")
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    link = browser.switch_to.active_element
    assert link.text == "Skip to the findings"
    link.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "content"


def test_without_scripts_everything_can_be_read(browser, folder):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        _open(browser, folder / "out" / "report.html")
        assert not browser.find_element(By.CSS_SELECTOR, "details.table .tools").is_displayed()
        assert browser.find_elements(By.CSS_SELECTOR, "#table-best_layers-data tbody td")[0].is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["out/report.html", "compared.html"])
def test_axe_finds_no_serious_fault(browser, folder, root, name, scheme):
    axe = Path(os.environ.get("AXE_CORE", root / "node_modules" / "axe-core" / "axe.min.js"))
    if not axe.is_file():
        pytest.skip(f"axe-core is not at {axe}: npm install axe-core, or name its axe.min.js by AXE_CORE")
    _open(browser, folder / name, scheme=scheme)
    _open_all_tables(browser)
    browser.execute_script(axe.read_text(encoding="utf-8"))
    done = "const done = arguments[0]; axe.run(document).then((found) => done(found.violations));"
    violations = browser.execute_async_script(done)
    serious = [one for one in violations if one["impact"] in ("serious", "critical")]
    assert not serious, json.dumps([(one["id"], one["nodes"][0]["html"]) for one in serious], indent=1)
