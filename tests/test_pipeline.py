"""Pipelines: documents and their mistakes, the schema, and several steps against the verbs one by one."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest

import thresher as th
from thresher import cli
from thresher._parameters import parameters

ROWS = [
    {"text": "to be or not to be that is the question", "answer": "Yes."},
    {"text": "to be or not to be that is the question", "answer": ""},
    {"text": "To be, or not to be: that is the question!", "answer": "No."},
    {"text": "something else altogether", "answer": "Maybe."},
    {"text": "to be or not to be that is the question", "answer": "Yes."},
]
ROOT = Path(__file__).parent.parent
VERBS = ("dedup", "filter", "decontaminate", "convert", "validate", "render", "pii", "shuffle", "pack")


def _row(row: dict[str, str], number: int) -> str:
    turns = [{"role": "user", "content": row["text"]}, {"role": "assistant", "content": row["answer"]}]
    return json.dumps({"messages": turns, "text": row["text"], "n": number})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two files of rows, one of them below, and bad lines in both."""
    (tmp_path / "raw" / "sub").mkdir(parents=True)
    for name in ("raw/a.jsonl", "raw/sub/b.jsonl"):
        lines = [_row(row, number) for number, row in enumerate(ROWS)]
        (tmp_path / name).write_text("\n".join([*lines[:2], "broken", "", *lines[2:]]) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _load(text: str, **given: Any) -> th.Pipeline:
    Path("pipeline.yaml").write_text(text, "utf-8")
    return th.Pipeline.load("pipeline.yaml", **given)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


STEPS: list[Any] = ["validate", {"dedup": {"text": "text"}}, {"convert": {"to": "sharegpt"}}]
LENIENT: th.RunOptions = {"max_quarantine": 0.9}


def test_every_mistake_is_named_at_once_with_its_line(folder: Path) -> None:
    document = """\
inputs: []
outputs: x
options: {memry: 4GB}
steps:
  - dedup:
      treshold: 0.8
      ngram: 0
      threads: 2
  - convrt: {to: sharegpt}
  - render: {ending: chozen}
  - [1, 2]
"""
    with pytest.raises(th.ParameterError) as refused:
        _load(document)
    said = str(refused.value).splitlines()
    for line, key, words in [
        (2, "outputs", "did you mean `output`?"),
        (1, "output", "missing"),
        (1, "inputs", "empty"),
        (3, "options.memry", "did you mean `memory`?"),
        (6, "steps.0.dedup.treshold", "did you mean `threshold`?"),
        (7, "steps.0.dedup.ngram", "ngram is `0`"),
        (8, "steps.0.dedup.threads", "option of the whole run"),
        (9, "steps.1.convrt", "did you mean `convert`?"),
        (10, "steps.2.render.template", "missing"),
        (10, "steps.2.render.ending", "did you mean `chosen`?"),
        (11, "steps.3", "a step is one of"),
    ]:
        found = [text for text in said if text.startswith(f"pipeline.yaml:{line}: {key}: ")]
        assert len(found) == 1, said
        assert words in found[0]
    assert len(said) == 11
    assert sorted(path.name for path in folder.iterdir()) == ["pipeline.yaml", "raw"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[" * 100 + "]" * 100, "deeper than 32 levels"),
        ("a: &a [x]\nb: [" + ", ".join(["*a"] * 65) + "]", "over 64 aliases"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "\n".join(
                f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]" for p, n in zip("abcde", "bcdef", strict=True)
            ),
            "more than 10,000 values",
        ),
        ("a: &a [*a]", "holds itself"),
        ("x: " + "y" * 2**20, "longer than"),
        ("output: a\noutput: b", "stands here twice"),
        ("output: !!python/object/apply:os.system [ls]", "means nothing here"),
        ("output: !custom x", "means nothing here"),
        ("[a: b", "this is no YAML"),
        ("a: b\n---\nc: d", "this is no YAML"),
        ("a: \x01", "this is no YAML"),
        ("? [a]\n: b", "a name is a text"),
        ("", "missing"),
        ("just a text", "it is a mapping"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_document_that_is_none_or_would_grow_is_refused(document: str, words: str) -> None:
    with pytest.raises(th.ParameterError, match=r"^pipeline\.yaml") as refused:
        _load(document)
    assert words in str(refused.value)


@pytest.mark.usefixtures("folder")
def test_words_that_are_truth_values_elsewhere_are_text_and_noted() -> None:
    document = "inputs: no\noutput: 'yes'\nsteps: [dedup]\n"
    with pytest.warns(UserWarning, match=r"pipeline.yaml:1: inputs: `no` is a text"):
        loaded = _load(document)
    assert loaded.to_dict()["inputs"] == ["no"]
    with pytest.raises(th.ParameterError, match="write false"):
        _load("inputs: a\noutput: b\noptions: {strict: off}\nsteps: [dedup]\n")


@pytest.mark.usefixtures("folder")
def test_values_are_replaced_by_their_dotted_names() -> None:
    document = "inputs: raw\noutput: out\nsteps: [validate, dedup: {threshold: 0.8}]\n"
    overrides = {"steps.1.dedup.threshold": "0.7", "options.threads": "2", "inputs": "[raw, more]"}
    found = _load(document, overrides=overrides, options={"overwrite": True}).to_dict()
    assert found["steps"][1] == {"dedup": {"threshold": 0.7}}
    assert (found["threads"], found["inputs"], found["overwrite"]) == (2, ["raw", "more"], True)
    for wrong, words in {
        "steps.2.dedup.ngram": "there is no place `2`",
        "output.a": "one value and no mapping",
        "steps.1.dedup.ngam": "did you mean `ngram`?",
    }.items():
        with pytest.raises(th.ParameterError, match=r"^--set: ") as refused:
            _load(document, overrides={wrong: "1"})
        assert words in str(refused.value)


def _documents() -> list[Any]:
    base = {"inputs": ["raw"], "output": "out", "steps": [{"dedup": {}}]}
    documents: list[Any] = [
        base,
        [],
        None,
        "x",
        {**base, "more": 1},
        {**base, "steps": []},
        {**base, "inputs": []},
    ]
    documents += [{name: value for name, value in base.items() if name != left} for left in base]
    values = [
        None,
        True,
        0,
        1,
        2,
        -1,
        0.5,
        1.5,
        2**70,
        "word",
        "4GB",
        "4XB",
        "1.5 GiB",
        "512mb",
        "1..2",
        "keep",
        "openai",
        "jsn",
        [],
        ["a"],
        {},
    ]
    for verb in (*VERBS, "options"):
        needed = {
            name: {"to": "openai", "template": "{{ messages }}", "context": 8, "against": "evals"}[name]
            for name, parameter in parameters(verb).items()
            if parameter.required
        }
        for name in (*parameters(verb), "nmae"):
            for value in values:
                given = {**needed, name: value}
                document = (
                    {**base, "options": given} if verb == "options" else {**base, "steps": [{verb: given}]}
                )
                documents.append(document)
        documents.append({**base, "steps": [verb]})
        documents.append({**base, "steps": [{verb: None}]})
    return documents


@pytest.mark.usefixtures("folder")
def test_the_schema_and_the_check_agree() -> None:
    validator = jsonschema.Draft202012Validator(th.Pipeline.schema())
    jsonschema.Draft202012Validator.check_schema(th.Pipeline.schema())
    outcomes = set()
    for document in _documents():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _load(json.dumps(document))
            accepted = True
        except th.ParameterError:
            accepted = False
        assert validator.is_valid(document) == accepted, document
        outcomes.add(accepted)
    assert outcomes == {True, False}


def test_the_schema_has_every_parameter_with_its_default() -> None:
    schema = th.Pipeline.schema()["properties"]
    for step in schema["steps"]["items"]["oneOf"][:-1]:
        ((verb, values),) = step["properties"].items()
        properties = values.get("anyOf", [values])[0]["properties"]
        assert list(properties) == list(parameters(verb))
        for name, parameter in parameters(verb).items():
            assert parameter.required or properties[name]["default"] == parameter.default
            assert properties[name]["description"] == parameter.about
    assert list(schema["options"]["properties"]) == list(parameters("options"))


def test_a_pipeline_of_one_step_is_the_run_of_its_verb(folder: Path) -> None:
    report = th.Pipeline([{"dedup": {"text": "text"}}], inputs="raw", output="one", options=LENIENT).run()
    th.dedup_files("raw", "verb", **LENIENT)
    assert isinstance(report, th.DedupReport)
    one, verb = _files(folder / "one"), _files(folder / "verb")
    assert one.keys() == verb.keys()
    assert {name for name in one if one[name] != verb[name]} == {"run.json", "report.html"}


@pytest.mark.parametrize("threads", [1, 2])
def test_several_steps_are_the_verbs_one_after_the_other(folder: Path, threads: int) -> None:
    options: th.RunOptions = {**LENIENT, "threads": threads}
    report = th.Pipeline(STEPS, inputs="raw", output="out", options=options).run()
    th.chat.validate_files("raw", "1", **options)
    th.dedup_files("1/data", "2", **options)
    th.chat.convert_files("2/data", "3", to="sharegpt", **options)
    assert _files(folder / "out" / "data") == _files(folder / "3" / "data")
    assert isinstance(report, th.PipelineReport)
    assert (report.documents, report.kept, report.quarantined) == (12, 2, 4)
    assert {name: step.documents for name, step in report.steps.items()} == {
        "1.validate": 12,
        "2.dedup": 8,
        "3.convert": 2,
    }
    assert sorted(_files(folder / "out")) == [
        "clusters.parquet",
        "data/a.jsonl",
        "data/sub/b.jsonl",
        "quarantine/records.jsonl",
        "removed.parquet",
        "report.html",
        "run.json",
    ]
    assert report.set_aside == {"1.validate empty_turn": 2, "1.validate invalid_json": 2}
    assert (
        sum(report.report["accounting"]["removed"][f"2.dedup {why}"]["docs"] for why in ("exact", "near"))
        == 6
    )
    assert th.verify("out").ok
    assert not (folder / "out" / ".thresher").exists()


def test_evidence_names_the_rows_of_the_inputs(folder: Path) -> None:
    steps: list[Any] = [
        "validate",
        {"dedup": {"exact_only": True}},
        {"dedup": {"ngram": 2, "threshold": 0.5}},
    ]
    report = th.Pipeline(steps, inputs="raw", output="out", options=LENIENT).run()
    removed = pq.read_table("out/removed.parquet").to_pylist()
    # Rows 1 has no answer and 2 is broken, so 3 is the first near-duplicate; each file is as the other.
    assert [(row["source"], row["row"], row["step"], row["duplicate_of"]) for row in removed] == [
        ("a.jsonl", 5, "2.dedup", "a.jsonl:0"),
        ("sub/b.jsonl", 0, "2.dedup", "a.jsonl:0"),
        ("sub/b.jsonl", 3, "2.dedup", "a.jsonl:3"),
        ("sub/b.jsonl", 4, "2.dedup", "a.jsonl:4"),
        ("sub/b.jsonl", 5, "2.dedup", "a.jsonl:0"),
        ("a.jsonl", 3, "3.dedup", "a.jsonl:0"),
    ]
    assert [row["id"] for row in removed] == [f"{row['source']}:{row['row']}" for row in removed]
    assert all((r["duplicate_of_source"], r["duplicate_of_row"]) != (r["source"], r["row"]) for r in removed)
    lines = [
        json.loads(line) for line in Path("out/quarantine/records.jsonl").read_text("utf-8").splitlines()
    ]
    assert [(line["source"], line["row"], line["step"]) for line in lines] == [
        (name, row, "1.validate") for name in ("a.jsonl", "sub/b.jsonl") for row in (1, 2)
    ]
    clusters = pq.read_table("out/clusters.parquet").to_pylist()
    assert {row["cluster"] for row in clusters} == {"a.jsonl:0", "a.jsonl:3", "a.jsonl:4"}
    assert report.quarantine == str(Path("out/quarantine/records.jsonl"))


def test_parquet_goes_through_and_ids_of_a_field_stay(folder: Path) -> None:
    import pyarrow as pa

    good = [json.loads(_row(row, number)) for number, row in enumerate(ROWS)]
    pq.write_table(pa.Table.from_pylist(good), folder / "rows.parquet")
    steps: list[Any] = ["validate", {"dedup": {"id": "n"}}]
    th.Pipeline(steps, inputs="rows.parquet", output="out.parquet", options=LENIENT).run()
    assert pq.read_table("out.parquet").column("n").to_pylist() == [0, 3]
    removed = pq.read_table("out.parquet.removed.parquet").to_pylist()
    assert [(row["id"], row["row"], row["duplicate_of"]) for row in removed] == [("2", 2, "0"), ("4", 4, "0")]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(("out", ".out"))) == [
        "out.parquet",
        "out.parquet.clusters.parquet",
        "out.parquet.quarantine",
        "out.parquet.removed.parquet",
        "out.parquet.report.html",
        "out.parquet.run.json",
    ]
    assert th.verify("out.parquet").ok


def test_a_step_that_fails_leaves_the_old_result_as_it_was(folder: Path) -> None:
    th.Pipeline(STEPS, inputs="raw", output="out", options=LENIENT).run()
    before = _files(folder / "out")
    for steps, error, words in [
        (["validate", {"dedup": {"text": "txt"}}], th.ParameterError, "step 2.dedup: text is `txt`"),
        (
            ["validate", "dedup", {"convert": {"to": "trl", "from_format": "alpaca"}}],
            th.ThresherError,
            "step 3.convert",
        ),
    ]:
        pipeline = th.Pipeline(
            steps, inputs="raw", output="out", options={"overwrite": True, "max_quarantine": 0.5}
        )
        with pytest.raises(error) as refused:
            pipeline.run()
        assert words in str(refused.value)
        assert _files(folder / "out") == before
        with pytest.raises(error):
            th.Pipeline(steps, inputs="raw", output="new", options={"max_quarantine": 0.5}).run()
        assert not (folder / "new").exists()
    again = th.Pipeline(STEPS, inputs="raw", output="out", options={"overwrite": True, **LENIENT})
    again.run()
    after = _files(folder / "out")
    assert {name for name in before if after[name] != before[name]} == {"run.json", "report.html"}


@pytest.mark.parametrize("output", ["out", "out.jsonl"])
def test_too_much_set_aside_by_a_step_is_kept_to_be_looked_at(folder: Path, output: str) -> None:
    rows = [json.loads(_row(ROWS[0], number)) for number in range(4)]
    lines = [json.dumps(row if row["n"] == 0 else {**row, "text": None}) for row in rows]
    (folder / "few.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(th.DataError, match=r"step 2\.dedup: 3 of 4 records") as refused:
        th.Pipeline(["validate", "dedup"], inputs="few.jsonl", output=output).run()
    kept = Path(str(refused.value).rpartition("They are in `")[2].rstrip("`"))
    assert kept.is_relative_to(folder) or not kept.is_absolute()
    assert len((kept / "records.jsonl").read_text("utf-8").splitlines()) == 3
    assert not Path(output, "run.json").exists()
    th.Pipeline(["dedup", "dedup"], inputs="raw", output=output, options=LENIENT).run()
    assert not kept.exists()


def test_a_pipeline_that_is_stopped_publishes_nothing_and_goes_on_later(folder: Path) -> None:
    def stop(_moment: Any) -> None:
        if (folder / "out" / ".thresher" / "spill" / "steps" / "1.dedup.done").exists():
            raise LookupError

    rows = [json.dumps({"text": " ".join(f"w{n}x{k}" for k in range(60))}) for n in range(80_000)]
    (folder / "large.jsonl").write_text("\n".join(rows), "utf-8")
    pipeline = th.Pipeline(["dedup", {"dedup": {"threshold": 0.9}}], inputs="large.jsonl", output="out")
    with pytest.raises(LookupError):
        pipeline.run(progress=stop)
    assert {path.name for path in (folder / "out").iterdir()} == {".thresher"}
    other = th.Pipeline(["dedup", {"dedup": {"threshold": 0.8}}], inputs="large.jsonl", output="out")
    with pytest.raises(th.ParameterError, match="steps was"):
        other.run()
    report = pipeline.run()
    assert not (folder / "out" / ".thresher").exists()
    again = th.Pipeline(["dedup", {"dedup": {"threshold": 0.9}}], inputs="large.jsonl", output="again").run()
    assert report.report["accounting"] == again.report["accounting"]
    for name in ("data/large.jsonl", "removed.parquet"):
        assert (folder / "out" / name).read_bytes() == (folder / "again" / name).read_bytes()


def test_compressed_rows_go_through_as_they_came(folder: Path) -> None:
    import gzip

    packed = gzip.compress((folder / "raw" / "a.jsonl").read_bytes())
    (folder / "a.jsonl.gz").write_bytes(packed)
    th.Pipeline(STEPS[:2], inputs="a.jsonl.gz", output="packed", options=LENIENT).run()
    th.Pipeline(STEPS[:2], inputs="raw/a.jsonl", output="plain", options=LENIENT).run()
    unpacked = gzip.decompress((folder / "packed" / "data" / "a.jsonl.gz").read_bytes())
    assert unpacked == (folder / "plain" / "data" / "a.jsonl").read_bytes()
    rows = [
        pq.read_table(f"{name}/removed.parquet").column("row").to_pylist() for name in ("packed", "plain")
    ]
    assert rows[0] == rows[1]


def test_a_pipeline_on_the_command_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("pipeline.yaml").write_text(
        "inputs: raw\noutput: out\noptions: {max_quarantine: 0.9}\n"
        "steps: [validate, dedup, {convert: {to: sharegpt}}]\n",
        "utf-8",
    )

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["run", *arguments])
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    code, out, _ = call("pipeline.yaml", "--dry-run", "--set", "steps.1.dedup.ngram=3")
    assert (code, "2.dedup      ngram=3" in out) == (0, True)
    assert not (folder / "out").exists()
    assert json.loads(call("--schema")[1]) == th.Pipeline.schema()
    code, out, err = call("pipeline.yaml", "--threads=1")
    assert (code, out) == (0, "")
    assert err.splitlines()[-3].startswith("1.validate: in 12 documents")
    assert json.loads(Path("out/run.json").read_text("utf-8"))["config"]["threads"] == 1
    assert call("pipeline.yaml")[0] == 2
    assert call("pipeline.yaml", "--overwrite", "--quiet") == (0, "", "")
    code, out, _ = call("pipeline.yaml", "--set", "output='-'")
    assert (code, len(out.splitlines())) == (0, 2)
    code, _, err = call("pipeline.yaml", "--set", "inputs='-'", "--overwrite")
    assert (code, "is a pipe" in err) == (2, True)
    assert call()[0] == 2
    assert call("nowhere.yaml")[0] == 2


def test_references_of_a_step_keep_their_places(folder: Path) -> None:
    (folder / "reference.jsonl").write_text(_row(ROWS[3], 0) + "\n", "utf-8")
    steps: list[Any] = ["validate", {"dedup": {"exact_only": True, "against": "reference.jsonl"}}]
    th.Pipeline(steps, inputs="raw", output="out", options=LENIENT).run()
    removed = pq.read_table("out/removed.parquet").to_pylist()
    found = {(row["source"], row["row"]): row["duplicate_of_source"] for row in removed}
    assert (found["a.jsonl", 4], found["sub/b.jsonl", 4]) == ("reference.jsonl", "reference.jsonl")
    (folder / "other").mkdir()
    (folder / "other" / "a.jsonl").write_text(_row(ROWS[3], 0) + "\n", "utf-8")
    steps[1]["dedup"]["against"] = "other/a.jsonl"
    th.Pipeline(steps, inputs="raw", output="new", options=LENIENT).run()
    removed = pq.read_table("new/removed.parquet").to_pylist()
    found = {(row["source"], row["row"]): row["duplicate_of_source"] for row in removed}
    assert (found["a.jsonl", 4], found["sub/b.jsonl", 4]) == ("against/a.jsonl", "against/a.jsonl")
    steps[1]["dedup"]["against"] = ["other", "raw/a.jsonl"]
    with pytest.raises(th.ParameterError, match=r"raw/a\.jsonl` is an input and in `against` as well"):
        th.Pipeline(steps, inputs="raw", output="other-new", options=LENIENT).run()
    assert not (folder / "other-new").exists()


def test_the_documents_show_pipelines_that_are_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for shown, (name, steps) in zip(blocks, [("pipeline", 3), ("pretrain", 4)], strict=True):
        example = (ROOT / "examples" / f"{name}.yaml").read_text("utf-8")
        assert example.split("\n", 1)[1] == shown
        assert len(_load(shown).to_dict()["steps"]) == steps
    assert re.findall(r"`(\w+)`", page.split("| `options` |")[1].split("\n")[0]) == list(
        parameters("options")
    )
