"""The report as one HTML file that needs nothing else: no network, no scripts, pictures inline."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from html import escape
from itertools import groupby
from urllib.parse import quote

from iacyclegan_tf.common.foreign_text import printable
from iacyclegan_tf.common.tables import Table
from iacyclegan_tf.config.settings import Config, as_dict, flat
from iacyclegan_tf.evaluation.report.faces import Strip
from iacyclegan_tf.evaluation.report.summary import NOTE, Answer
from iacyclegan_tf.evaluation.report.tables import all_tables, subset_tables
from iacyclegan_tf.evaluation.result_files import RoundResult

_VERDICTS = {"yes": "Yes.", "no": "No.", "unclear": "Not clearly."}
_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --card: #f6f7f9; --ink: #1d2127; --soft: #667080; --line: #d9dde3;
  --good: #2f9e5f; --bad: #c23b3b; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171b; --card: #1c2026; --ink: #e4e7eb; --soft: #97a1ae;
  --line: #323842; --good: #4cc17f; --bad: #ec7a7a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line);
  padding-bottom: .3rem; } h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; color: var(--soft); font-weight: 600; }
.facts { color: var(--soft); margin: .3rem 0 0; } code { font-size: .9em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding: 1rem 0 .4rem; }
th, td { padding: .28rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
.note { color: var(--soft); font-size: .87rem; margin: .35rem 0; max-width: 75ch; }
figure { margin: 0; } .chart { background: var(--card); border-radius: 10px; padding: 1rem; margin: 1rem 0; }
.chart img { max-width: 100%; height: auto; display: block; margin: 0 auto; }
.chart figcaption { font-weight: 600; margin-bottom: .5rem; }
.strips { display: flex; flex-wrap: wrap; gap: 1rem 1.6rem; }
.strip { background: var(--card); border-radius: 10px; padding: .7rem .8rem; }
.strip > p { margin: 0 0 .4rem; font-size: .87rem; } .tiles { display: flex; gap: .5rem; }
.tile img { width: 96px; height: auto; display: block; border-radius: 4px; border: 3px solid transparent; }
.tile.true img { border-color: var(--good); } .tile.false img { border-color: var(--line); }
.tile figcaption { font-size: .75rem; color: var(--soft); text-align: center; }
.tile.true figcaption { color: var(--good);
  font-weight: 600; }
details { margin-top: 1rem; } summary { cursor: pointer; color: var(--soft); font-weight: 600; }
a { color: inherit; } .answers dt { font-weight: 600; margin-top: .7rem; }
.answers dd { margin: .1rem 0 0; max-width: 90ch; }
.answers b { color: var(--soft); } .answers .yes { color: var(--good); } .answers .no { color: var(--bad); }
pre { background: var(--card); border-radius: 10px; padding: 1rem;
  overflow-x: auto; font-size: .8rem; }
"""


def page(
    name: str,
    rounds: list[RoundResult],
    faces: list[list[Strip]],
    figures: dict[str, bytes],
    answers: Sequence[Answer] = (),
    files: Mapping[str, str] | None = None,
) -> str:
    """The file of the ``rounds`` that were evaluated.

    Args:
        faces: pictures of each round.
        figures: PNG by caption.
        answers: from ``summary``, which stand first.
        files: what lies beside the report, by its relative path, and what it is.
    """
    metrics = [one.metrics for one in rounds]
    protocol = metrics[-1]["protocol"]
    title = f"Evaluation of {name}"
    facts = (
        f"{date.today().isoformat()}. {protocol['test_pairs']} test pairs of {protocol['test_people']} people "
        f"(split {protocol['test_split']}), measured at {', '.join(protocol['measured_at'])}, networks at "
        f"{protocol['network_size']} ({protocol['fit']})."
    )
    body = [
        f"<h1>{escape(title)}</h1><p class=facts>{escape(facts)}<br>"
        f"Split SHA-256 <code>{escape(protocol['split_sha256'])}</code></p>",
        *_summary(answers),
        "<h2>Numbers</h2>",
        *map(_table, all_tables(metrics)),
        "<h2>Curves</h2>",
        *(_chart(caption, png) for caption, png in figures.items()),
    ]
    if by_subset := subset_tables(metrics):
        body += ["<h2>By subset</h2>", *map(_table, by_subset)]
    for one, strips in list(zip(rounds, faces))[::-1]:
        sections, words = "".join(_sections(strips)), f"Faces of round {one.number}"
        body.append(f"<h2>{words}</h2>{sections}" if one is rounds[-1] else _folded(words, sections))
    body += [*_files(files or {}), *_settings(protocol)]
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _summary(answers: Sequence[Answer]) -> Iterator[str]:
    if answers:
        yield "<h2>In short</h2><dl class=answers>"
        for one in answers:
            yield f"<dt>{escape(one.question)}</dt><dd><b class={one.verdict}>{_VERDICTS[one.verdict]}</b> "
            yield f"{escape(one.sentence)}</dd>"
        yield f"</dl><p class=note>{escape(NOTE)}</p>"


def _files(files: Mapping[str, str]) -> Iterator[str]:
    if files:
        yield "<h2>Files</h2><ul>"
        for path, words in files.items():
            yield f"<li><a href='{escape(quote(path), quote=True)}'>{escape(printable(path))}</a>: {escape(words)}</li>"
        yield "</ul>"


def _settings(protocol: dict) -> Iterator[str]:
    """Those that are not the defaults, and folded all else that the numbers depend on."""
    defaults = flat(as_dict(Config()))
    changed = {name: value for name, value in flat(protocol["settings"]).items() if value != defaults.get(name)}
    rows = tuple((name, printable(value), printable(defaults.get(name, ""))) for name, value in changed.items())
    yield "<h2>Settings</h2>"
    yield _table(Table("Settings that are not the defaults", ("", "here", "default"), rows))
    everything = json.dumps(protocol, indent=2, ensure_ascii=False)
    yield _folded("How everything was measured, all settings, versions", f"<pre>{escape(everything)}</pre>")


def _folded(words: str, content: str) -> str:
    return f"<details><summary>{escape(words)}</summary>{content}</details>"


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    notes = "".join(f"<p class=note>{escape(note)}</p>" for note in table.notes)
    if not table.rows:
        return f"<h3>{escape(table.title)}</h3>{notes}"
    caption = "" if table.folded else f"<caption>{escape(table.title)}</caption>"
    shown = f"<div class=scroll><table>{caption}<tr>{header}</tr>{rows}</table></div>{notes}"
    return _folded(table.title, shown) if table.folded else shown


def _chart(caption: str, png: bytes) -> str:
    return f"<figure class=chart><figcaption>{escape(caption)}</figcaption>{_image('png', png, caption)}</figure>"


def _sections(strips: list[Strip]):
    for section, members in groupby(strips, lambda strip: strip.section):
        yield f"<h3>{escape(section)}</h3><div class=strips>"
        for strip in members:
            tiles = "".join(
                f"<figure class='tile {tile.mark}'>{_image('jpeg', tile.jpeg, tile.caption)}"
                f"<figcaption>{escape(tile.caption)}</figcaption></figure>"
                for tile in strip.tiles
            )
            yield f"<div class=strip><p>{escape(strip.title)}</p><div class=tiles>{tiles}</div></div>"
        yield "</div>"


def _image(kind: str, data: bytes, words: str) -> str:
    return f"<img alt='{escape(words, quote=True)}' src='data:image/{kind};base64,{base64.b64encode(data).decode()}'>"
