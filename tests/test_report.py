"""`report.html`: a page of its own, with the figures of `run.json`, on which nothing of the data acts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thresher as th

MARK = "thresher-was-here"
HOSTILE = [
    f"<script>document.body.id='{MARK}'</script>",
    f"</pre></div></main><img src=x onerror=\"document.body.id='{MARK}'\">",
    f"<svg onload=document.body.id='{MARK}'><style>@import 'http://evil.invalid/{MARK}'</style>",
    "right to left: \u202etxt.exe\u2066\u2069 zero\u200bwidth \ufeff soft\u00adhyphen",
    "terminal: \x1b]0;owned\x07\x1b[31mred\x9b2J\x00\x08",
    f"<iframe srcdoc=\"<script>parent.document.body.id='{MARK}'</script>\"></iframe>",
    f'"><link rel=stylesheet href=http://evil.invalid/{MARK}>',
    '<meta http-equiv=refresh content="0;url=http://evil.invalid/">',
    f"<a href=\"javascript:document.body.id='{MARK}'\" autofocus onfocus=document.body.id='{MARK}'>x</a>",
    "&lt;script&gt; &#60;script&#62; &amp;",
    "<!-- --> ]]> <![CDATA[ <?php ?> {{7*7}} ${7*7}",
]
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "main", "section", "h2", "p", "ul",
    "li", "code", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "rect", "details",
    "summary", "pre",
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of a run over hostile texts, with hostile ids, in a file of a hostile name."""
    folder = tmp_path_factory.mktemp("hostile")
    source = folder / "<img src=x onerror=alert(1)>.jsonl"
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(HOSTILE):
        words = " ".join(f"word{number}x{n}" for n in range(60))
        body = f"{text} {words}"
        rows += [
            {"text": f"{body} more", "id": f"{text}-{number}-{copy}"} for copy in range(len(HOSTILE) - number)
        ]
        rows.append({"text": f"{body} other", "id": f"{text}-near"})
    rows += [{"text": "huge " * 100_000, "id": f"huge {copy}"} for copy in range(20)]
    lines = [json.dumps(row).encode() for row in rows]
    lines += [text.encode() for text in HOSTILE] + [
        b"\xff\xfe" + HOSTILE[0].encode(),
        b'{"text": null}',
        b"{}",
    ]
    source.write_bytes(b"\n".join(lines) + b"\n")
    th.dedup_files(source, folder / "out", id="id", threshold=0.7)
    return folder / "out"


def _report(out: Path) -> str:
    return (out / "report.html").read_text("utf-8")


def _figures(out: Path) -> list[str]:
    """What the page has to say, from `run.json`."""
    run = json.loads((out / "run.json").read_bytes())
    books = run["accounting"]
    counts = [books["in"]["docs"], books["kept"]["docs"], run["quarantine"]["written"], run["threads"]]
    counts += [tally["docs"] for part in ("removed", "quarantined") for tally in books[part].values()]
    counts += [cluster["size"] for cluster in run.get("largest_clusters", [])]
    words = [
        *books["removed"],
        *books["quarantined"],
        *run["config"],
        *run["timings"],
        *run.get("similarities", []),
    ]
    hashes = [file["xxh3_128"] for name, file in run["files"].items() if name != "report.html"]
    return [f"{count:,}" for count in counts] + [word for word in words if word != "total"] + hashes


def _elements(page: str) -> list[Any]:
    import html5lib

    parser = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True)
    return list(parser.parse(page).iter())


def test_nothing_of_the_data_becomes_markup(hostile: Path) -> None:
    page = _report(hostile)
    elements = _elements(page)
    names = {str(element.tag).rpartition("}")[2] for element in elements}
    assert names <= ELEMENTS
    attributes = {name for element in elements for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "srcdoc", "action")}
    assert {element.attrib["href"] for element in elements if "href" in element.attrib} == {"#main"}
    policy = [element.attrib["content"] for element in elements if "http-equiv" in element.attrib]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not [
        c for c in page if (not c.isprintable() and c not in "\n\t") or c in "\u202e\u200b\u00ad\ufeff"
    ]
    assert len(page) < 1_000_000


def test_texts_ids_and_records_are_shown_as_they_are(hostile: Path) -> None:
    text = "".join(element.text or "" for element in _elements(_report(hostile)))
    for hidden in HOSTILE[:3]:
        assert hidden in text
    for shown in (
        "\\u{202e}txt.exe",
        "\\u{1b}]0;owned\\u{7}",
        "invalid_utf8: row",
        "huge 1",
        "The start of",
    ):
        assert shown in text, shown
    assert "word5x9 " in text


def test_the_figures_are_those_of_run_json(hostile: Path) -> None:
    text = " ".join(element.text or "" for element in _elements(_report(hostile)))
    for figure in _figures(hostile):
        assert figure in text, figure


def test_a_page_is_read_by_keyboard_and_screen_reader(hostile: Path) -> None:
    elements = _elements(_report(hostile))
    by_name: dict[str, list[Any]] = {}
    for element in elements:
        by_name.setdefault(str(element.tag).rpartition("}")[2], []).append(element)
    assert by_name["html"][0].attrib["lang"] == "en"
    assert len(by_name["h1"]) == len(by_name["main"]) == len(by_name["title"]) == 1
    assert all(table.find("caption") is not None for table in by_name["table"])
    assert all(head.attrib["scope"] in ("col", "row") for head in by_name["th"])
    assert all(drawing.attrib["aria-hidden"] == "true" for drawing in by_name["svg"])
    assert all(pre.attrib["tabindex"] == "0" for pre in by_name["pre"])
    assert all(details[0].tag == "summary" for details in by_name["details"])
    style = by_name["style"][0].text
    assert "prefers-color-scheme:dark" in style
    assert "url(" not in style


@pytest.mark.parametrize("verb", ["convert", "validate", "render", "dedup"])
def test_every_run_has_a_page_that_is_published_with_the_rest(tmp_path: Path, verb: str) -> None:
    row = {
        "messages": [{"role": "user", "content": HOSTILE[0]}, {"role": "assistant", "content": "Ho"}],
        "text": HOSTILE[1],
        HOSTILE[2]: 1,
    }
    empty = {"messages": [{"role": "user", "content": ""}]}
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(
        "".join(json.dumps(line) + "\n" for line in (row, row, row, empty)) + HOSTILE[3] + "\n", "utf-8"
    )
    runs: dict[str, Any] = {
        "convert": lambda: th.chat.convert_files(source, out, to="chatml"),
        "validate": lambda: th.chat.validate_files(source, out),
        "render": lambda: th.chat.render_files(source, out, template="{{ messages }}", mask=False),
        "dedup": lambda: th.dedup_files(source, out),
    }
    report = runs[verb]()
    page = Path(f"{out}.report.html").read_text("utf-8")
    names = {str(element.tag).rpartition("}")[2] for element in _elements(page)}
    assert names <= ELEMENTS
    assert f"thresher {verb}: " in page
    assert f"{report.documents:,}" in page
    assert "report.html" in report.report["files"]
    assert th.verify(out).ok
    if verb == "validate":
        assert "no_assistant" in page
    # On standard output there is the data alone, and a run that only looks leaves nothing.
    assert sorted(path.name for path in tmp_path.iterdir() if "report" in path.name) == [
        "out.jsonl.report.html"
    ]


def test_a_run_over_nothing_has_a_page(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in.parquet")
    th.dedup_files(tmp_path / "in.parquet", tmp_path / "out")
    assert {"Documents", "Files", "Parameters"} <= {
        element.text for element in _elements(_report(tmp_path / "out")) if element.tag == "h2"
    }


def _browse(page: Path, log: Path) -> tuple[str, set[str]]:
    """The document as a browser shows it, and the addresses that it asked for."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    options += [f"--user-data-dir={log}.profile", f"--log-net-log={log}", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [browser, *options, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    asked = {
        str(event["params"]["url"])
        for event in json.loads(log.read_text("utf-8"))["events"]
        if isinstance(event.get("params"), dict) and "url" in event["params"]
    }
    return done.stdout, {url for url in asked if not url.startswith(("file://", "chrome"))}


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_in_a_browser_nothing_runs_and_nothing_leaves(hostile: Path, tmp_path: Path) -> None:
    shown, asked = _browse(hostile / "report.html", tmp_path / "net.json")
    assert f'id="{MARK}"' not in shown
    assert not {url for url in asked if MARK in url or "evil" in url}
    for figure in _figures(hostile):
        assert figure in shown, figure
    # That this test can fail: the same texts as markup.
    naive = tmp_path / "naive.html"
    naive.write_text("<!DOCTYPE html><body>" + "\n".join(HOSTILE[:3]), "utf-8")
    shown, asked = _browse(naive, tmp_path / "naive.json")
    assert f'id="{MARK}"' in shown
    assert any("evil.invalid" in url for url in asked)
