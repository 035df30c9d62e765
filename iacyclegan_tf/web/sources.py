"""From the command line to what the page stands on: models, a gallery, and what is told about them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.terminal import counting_bar, say
from iacyclegan_tf.data.drawn.samples import write_samples
from iacyclegan_tf.inference.load import load
from iacyclegan_tf.inference.trained import Trained
from iacyclegan_tf.search.gallery import Gallery, own_models
from iacyclegan_tf.search.store import FILE, GalleryStore
from iacyclegan_tf.serving.signatures import SERVABLES
from iacyclegan_tf.web.answers import Served
from iacyclegan_tf.web.folder import PageFolder
from iacyclegan_tf.web.html import card_html

_BLANK = np.full((64, 64, 3), 128, np.uint8)


def opened(options: Namespace, folder: PageFolder, console) -> Served:
    """What the command line names, ready to answer; what takes long is said to ``console`` before it begins."""
    models, place = _models(options), options.gallery
    say(console, f"Loading the models of {models.name}, {models.number} ({models.why}).")
    for translate in (models.as_is().to_sketch, models.as_is().to_photo):
        translate(_BLANK)  # so that a page which comes up can answer, its first visitor as fast as the next
    about, name = about_html(models), place and place.resolve().name
    write_samples(folder.examples)
    if place is None and set(models.folders) >= set(SERVABLES):  # serving bases may have generators alone
        place, name = folder.examples / "photos", "drawn faces (none was given)"
    say(console, f"Opening the gallery: {name}." if place else "These models have no recognizers: nothing is searched.")
    gallery = place and _gallery(place, models, folder.path.parent, console)
    return Served(models, gallery, name, about, folder)


def about_html(models: Trained) -> str:
    """The model card; ``UserError`` where one of those that lie with the exports is damaged."""
    cards = [models.card(servable) for servable in models.folders]
    try:
        return card_html(cards)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"The model cards of {models.name} {models.number} cannot be shown: {type(error).__name__} {error}."
        ) from None


def _models(options: Namespace) -> Trained:
    """Those of an index, unless others are named; mistakes are told before anything heavy is loaded."""
    if options.model is None and options.gallery and (options.gallery / FILE).is_file():
        models = own_models(GalleryStore(options.gallery))
        models.align = models.trained_on is None or models.trained_on.aligned
        return models
    return load(options.model, options.round, options.savedmodels)


def _gallery(place: Path, models: Trained, scratch: Path, console) -> Gallery:
    """The index in ``place``, or a new one of the photos below it, in the folder ``scratch``."""
    if (place / FILE).is_file():
        return Gallery(GalleryStore(place), models)
    with counting_bar(console, "embedding photos") as progress:
        gallery, added = Gallery.build(place, scratch / "index", models, progress)
    for line in (*added.notes, *(f"passed over: {reason}" for reason in added.bad)):
        say(console, line)
    return gallery
