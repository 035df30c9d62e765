"""Curves and distributions as PNG pictures, on a clear ground so that they suit a light and a dark page."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np

from iacyclegan_tf.evaluation.image_quality import MEASURES, SHARP_ENOUGH
from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.evaluation.report.tables import image_words
from iacyclegan_tf.evaluation.result_files import RoundResult
from iacyclegan_tf.metrics import cmc, rank_of_match, roc

INK = "#828a96"  # reads on white and on near-black
COLORS = {"none": "#9aa1ab", "photo": "#e2863b", "sketch": "#3f8fd2", "fusion": "#8a5fd6", "hog": "#d24b4b"}
ROUND_COLORS = ("#3f8fd2", "#e2863b", "#4fae7b", "#c2568c", "#8a5fd6")
_RANKS = 20
_CROPS = {"whole": "whole crop", "face": "face only"}
_STYLE = {
    "axes.facecolor": "none", "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK,
    "axes.labelsize": 11, "axes.titlesize": 11.5, "axes.grid": True, "axes.spines.top": False,
    "axes.spines.right": False, "grid.color": INK, "grid.alpha": 0.25, "grid.linewidth": 0.6, "xtick.color": INK,
    "ytick.color": INK, "xtick.labelsize": 10, "ytick.labelsize": 10, "legend.frameon": False,
    "legend.labelcolor": INK, "legend.fontsize": 10,
}  # fmt: skip


def all_figures(rounds: list[RoundResult]) -> dict[str, bytes]:
    """PNG pictures by caption."""
    import matplotlib

    drawn = {
        "Cumulative match characteristic": (cmc_figure, rounds),
        "Receiver operating characteristic": (roc_figure, rounds),
        "SSIM, FSIM and sharpness of all test pairs": (distribution_figure, rounds),
    }
    with_sizes = [one for one in rounds if "gallery_size" in one.metrics]
    if with_sizes:
        drawn["Rank-k against the gallery's size"] = (gallery_figure, with_sizes)
    with matplotlib.rc_context(_STYLE):
        return {caption: _png(draw(some)) for caption, (draw, some) in drawn.items()}


def cmc_figure(rounds: list[RoundResult]):
    figure, panels = _panels(rounds)
    ranks = min(_RANKS, len(rounds[-1].identities))
    for axes, lines in panels:
        for label, style, scores, people in lines:
            shares = cmc(rank_of_match(scores, people, people), ranks)
            axes.plot(np.arange(1, ranks + 1), 100 * shares, label=label, **style)
        axes.set(xlabel="rank", ylabel="found, %", ylim=(-2, 102))
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def roc_figure(rounds: list[RoundResult]):
    figure, panels = _panels(rounds)
    people = len(rounds[-1].identities)
    for axes, lines in panels:
        for label, style, scores, names in lines:
            false_accepts, true_accepts = roc(scores, names, names)
            axes.step(100 * false_accepts, 100 * true_accepts, where="post", label=label, **style)
        axes.set(xscale="log", xlim=(100 / (people * max(people - 1, 1)), 100), ylim=(-2, 102))
        axes.set(xlabel="false accept rate, %", ylabel="verification rate, %")
    return figure


def distribution_figure(rounds: list[RoundResult]):
    """One column a measure, one row a direction: rounds as outlines, trivial baselines as dashed lines."""
    figure = _figure(12, 6.4)
    for row, direction in zip(figure.subplots(2, 3), MEASURES):
        for axes, measure in zip(row, ("ssim", "fsim", "sharpness")):
            columns = [one.per_pair[f"{direction}.{measure}"] for one in rounds]
            edges = np.histogram_bin_edges(np.concatenate(columns), bins=min(24, 4 + len(columns[0]) // 4))
            for index, (one, values) in enumerate(zip(rounds, columns)):
                label, color = f"round {one.number}, mean {values.mean():.3f}", ROUND_COLORS[index % len(ROUND_COLORS)]
                axes.hist(values, edges, histtype="stepfilled", color=color, alpha=0.18)
                axes.hist(values, edges, histtype="step", color=color, linewidth=1.5, label=label)
            if measure == "sharpness":
                axes.axvspan(*SHARP_ENOUGH, color=INK, alpha=0.12, linewidth=0)
            else:
                trivial = rounds[-1].metrics["trivial_baselines"][direction][measure]
                for style, (name, value) in zip(("--", ":"), trivial.items()):
                    label = f"{'input' if name == 'input' else 'mean image'} {value:.3f}"
                    axes.axvline(value, color=INK, linestyle=style, linewidth=1.2, label=label)
            axes.set(title=image_words(direction, measure), ylabel="test pairs")
            axes.yaxis.get_major_locator().set_params(integer=True)
            axes.legend()
    return figure


def gallery_figure(rounds: list[RoundResult]):
    figure = _figure(4.2 * len(rounds) + 1, 3.6)
    for axes, one in zip(np.atleast_1d(figure.subplots(1, len(rounds), sharey=True)), rounds):
        for way in WAYS:
            for k, line in ((1, "-"), (5, "--")):
                curve = one.metrics["gallery_size"][way][f"rank{k}"]
                mean, spread = 100 * np.array(curve["mean"]), 100 * np.array(curve["deviation"])
                style = {"color": COLORS[way], "marker": "o", "markersize": 3, "label": f"{way}, rank-{k}"}
                axes.plot(curve["size"], mean, line, **style)
                axes.fill_between(curve["size"], mean - spread, mean + spread, color=COLORS[way], alpha=0.15, lw=0)
        axes.set(xscale="log", xticks=curve["size"], xticklabels=curve["size"], title=f"round {one.number}")
        axes.set(xlabel="photos in the gallery", ylabel="found, %", ylim=(-2, 102))
        axes.minorticks_off()
    return figure


def _panels(rounds: list[RoundResult]) -> tuple[object, Iterator]:
    """One panel a crop, so large that curves can be read: axes, and of each line label, style, scores and people."""
    crops = [crop for crop in _CROPS if any(name.startswith(f"learned.{crop}.") for name in rounds[-1].scores)]
    figure = _figure(12 if len(crops) > 1 else 8, 5.2)
    grid = figure.subplots(1, len(crops), squeeze=False, sharey=True)

    def panels():
        for axes, crop in zip(grid.flat, crops):
            axes.set_title(f"round {rounds[-1].number}, {_CROPS[crop]}")
            yield axes, list(_lines(rounds, crop))

    return figure, panels()


def _lines(rounds: list[RoundResult], crop: str) -> Iterator[tuple[str, dict, np.ndarray, tuple[str, ...]]]:
    """All ways of the last round, of the first the fusion, and HOG."""
    last, first = rounds[-1], rounds[0]
    for way in WAYS:
        yield way, {"color": COLORS[way], "linewidth": 2}, last.scores[f"learned.{crop}.{way}"], last.identities
    if first is not last:
        style = {"color": COLORS["fusion"], "linewidth": 1.4, "linestyle": "--"}
        yield f"fusion, round {first.number}", style, first.scores[f"learned.{crop}.fusion"], first.identities
    for way, dashes in (("none", "--"), ("fusion", ":")):
        if f"hog.{crop}.{way}" in last.scores:
            style = {"color": COLORS["hog"], "linestyle": dashes, "linewidth": 1.6}
            yield f"HOG, {way}", style, last.scores[f"hog.{crop}.{way}"], last.identities


def _figure(width: float, height: float):
    from matplotlib.figure import Figure  # without pyplot: no global state, no window

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def _png(figure) -> bytes:
    """With one legend for all panels below them, unless each has its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if not any(axes.get_legend() for axes in figure.axes):
        handles = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels())}
        columns = max(2, int(figure.get_figwidth() / 1.5))  # inches that the longest label takes
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(columns, len(handles)))
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130, transparent=True)
    return file.getvalue()
