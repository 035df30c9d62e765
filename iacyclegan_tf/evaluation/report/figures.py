"""Curves and distributions as PNG pictures, on a clear ground so that they suit a light and a dark page."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from iacyclegan_tf.evaluation.matching import WAYS
from iacyclegan_tf.metrics import cmc, rank_of_match, roc

INK = "#828a96"  # reads on white and on near-black
COLOURS = {"none": "#9aa1ab", "photo": "#e2863b", "sketch": "#3f8fd2", "fusion": "#8a5fd6"}
ROUND_COLOURS = ("#3f8fd2", "#e2863b", "#4fae7b", "#c2568c", "#8a5fd6")
HOG_COLOUR = "#d24b4b"
_RANKS = 20
_CROPS = {"whole": "whole crop", "face": "face only"}


@dataclass(frozen=True)
class RoundView:
    """What a report shows of one round: fields of ``full_evaluation.RoundEvaluation``, and ``pictures.strips``."""

    metrics: dict
    identities: tuple[str, ...]
    per_pair: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    strips: list = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.metrics["round"]


def all_figures(rounds: list[RoundView]) -> dict[str, bytes]:
    """PNG pictures by caption."""
    figures = {
        "Cumulative match characteristic": cmc_figure(rounds),
        "Receiver operating characteristic": roc_figure(rounds),
        "SSIM, FSIM and sharpness of all test pairs": distribution_figure(rounds),
    }
    if any("gallery_size" in view.metrics for view in rounds):
        with_curves = [view for view in rounds if "gallery_size" in view.metrics]
        figures["Rank-k against the gallery's size"] = gallery_figure(with_curves)
    return {caption: _png(figure) for caption, figure in figures.items()}


def cmc_figure(rounds: list[RoundView]):
    figure, panels = _panels(rounds)
    for axes, view, lines in panels:
        ranks = min(_RANKS, len(view.identities))
        for label, style, scores in lines:
            shares = cmc(rank_of_match(scores, view.identities, view.identities), ranks)
            axes.plot(np.arange(1, ranks + 1), 100 * shares, label=label, **style)
        axes.set(xlabel="rank", ylabel="found, %", ylim=(-2, 102))
        axes.xaxis.get_major_locator().set_params(integer=True)
    return _finished(figure)


def roc_figure(rounds: list[RoundView]):
    figure, panels = _panels(rounds)
    for axes, view, lines in panels:
        for label, style, scores in lines:
            curve = roc(scores, view.identities, view.identities)
            axes.step(100 * curve.false_accept_rate, 100 * curve.true_accept_rate, where="post", label=label, **style)
        people = len(view.identities)
        axes.set(
            xscale="log",
            xlim=(100 / (people * max(people - 1, 1)), 100),
            ylim=(-2, 102),
            xlabel="false accept rate, %",
            ylabel="verification rate, %",
        )
    return _finished(figure)


def distribution_figure(rounds: list[RoundView]):
    """One column a measure, one row a direction: rounds as outlines, trivial baselines as dashed lines."""
    figure = _figure(12, 6.4)
    grid = figure.subplots(2, 3)
    for row, (direction, words) in zip(grid, (("photo_to_sketch", "sketches"), ("sketch_to_photo", "photos"))):
        for axes, measure in zip(row, ("ssim", "fsim", "sharpness")):
            columns = [view.per_pair[f"{direction}.{measure}"] for view in rounds]
            edges = np.histogram_bin_edges(np.concatenate(columns), bins=min(24, 4 + len(columns[0]) // 4))
            for index, (view, values) in enumerate(zip(rounds, columns)):
                colour = ROUND_COLOURS[index % len(ROUND_COLOURS)]
                axes.hist(values, edges, histtype="stepfilled", color=colour, alpha=0.18)
                axes.hist(
                    values,
                    edges,
                    histtype="step",
                    color=colour,
                    linewidth=1.5,
                    label=f"round {view.number}, mean {values.mean():.3f}",
                )
            trivial = rounds[-1].metrics["trivial_baselines"][direction][measure]
            if measure == "sharpness":
                axes.axvspan(0.8, 1.2, color=INK, alpha=0.12, linewidth=0)
            else:
                for style, (name, value) in zip(("--", ":"), trivial.items()):
                    axes.axvline(
                        value, color=INK, linestyle=style, linewidth=1.2, label=f"{name.replace('_', ' ')} {value:.3f}"
                    )
            axes.set(title=f"{measure.upper() if measure != 'sharpness' else measure} of {words}", ylabel="test pairs")
            axes.yaxis.get_major_locator().set_params(integer=True)
            axes.legend(fontsize=7.5, frameon=False, labelcolor=INK)
            _calm(axes)
    return _finished(figure, legend=False)


def gallery_figure(rounds: list[RoundView]):
    figure = _figure(4.2 * len(rounds) + 1, 3.6)
    for axes, view in zip(np.atleast_1d(figure.subplots(1, len(rounds), sharey=True)), rounds):
        for way in WAYS:
            for name, line in (("rank1", "-"), ("rank5", "--")):
                curve = {
                    key: np.array(values)
                    for key, values in view.metrics["gallery_size"][way][name].items()
                    if key != "protocol"
                }
                mean, spread = 100 * curve["mean"], 100 * curve["deviation"]
                axes.plot(
                    curve["size"],
                    mean,
                    line,
                    color=COLOURS[way],
                    marker="o",
                    markersize=3,
                    label=f"{way}, rank-{name[4:]}",
                )
                axes.fill_between(
                    curve["size"], mean - spread, mean + spread, color=COLOURS[way], alpha=0.15, linewidth=0
                )
        axes.set(
            xscale="log",
            xlabel="photos in the gallery",
            ylabel="found, %",
            ylim=(-2, 102),
            title=f"round {view.number}",
            xticks=curve["size"],
            xticklabels=curve["size"],
        )
        axes.minorticks_off()
        _calm(axes)
    return _finished(figure)


def _panels(rounds: list[RoundView]) -> tuple[object, Iterator]:
    """One row a crop, one column a round (of one round the crops are side by side); axes, round and lines of each."""
    crops = [crop for crop in _CROPS if any(name.startswith(f"learned.{crop}.") for name in rounds[0].scores)]
    rows, columns = (1, len(crops)) if len(rounds) == 1 else (len(crops), len(rounds))
    figure = _figure(4.2 * columns + 1, 3.3 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)

    def panels():
        for axes, (crop, view) in zip(grid.flat, ((crop, view) for crop in crops for view in rounds)):
            yield axes, view, list(_lines(view, crop))
            axes.set_title(f"round {view.number}, {_CROPS[crop]}")
            _calm(axes)

    return figure, panels()


def _lines(view: RoundView, crop: str) -> Iterator[tuple[str, dict, np.ndarray]]:
    for way in WAYS:
        yield way, {"color": COLOURS[way], "linewidth": 1.8}, view.scores[f"learned.{crop}.{way}"]
    for way, dashes in (("none", "--"), ("fusion", ":")):
        if f"hog.{crop}.{way}" in view.scores:
            style = {"color": HOG_COLOUR, "linestyle": dashes, "linewidth": 1.4}
            yield f"HOG, {way}", style, view.scores[f"hog.{crop}.{way}"]


def _figure(width: float, height: float):
    from matplotlib.figure import Figure  # without pyplot: no global state, no window

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def _calm(axes) -> None:
    axes.set_facecolor("none")
    axes.grid(color=INK, alpha=0.25, linewidth=0.6)
    axes.tick_params(colors=INK, labelsize=8, which="both")
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set(color=INK, fontsize=9.5)
    for name, spine in axes.spines.items():
        spine.set(color=INK, visible=name in ("left", "bottom"))


def _finished(figure, legend: bool = True):
    if legend:
        handles = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels())}
        columns = max(2, int(figure.get_figwidth() / 1.5))  # inches that the longest label takes
        figure.legend(
            handles.values(),
            handles.keys(),
            loc="outside lower center",
            ncols=min(columns, len(handles)),
            fontsize=8.5,
            frameon=False,
            labelcolor=INK,
        )
    return figure


def _png(figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130, transparent=True)
    return file.getvalue()
