"""From the command line to what the page stands on: models, a gallery, and what is told about them."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.common.terminal import counting_bar
from iacyclegan_tf.inference.trained import Trained, load
from iacyclegan_tf.search.gallery import Added, Gallery, own_models
from iacyclegan_tf.search.store import FILE, GalleryStore
from iacyclegan_tf.serving.client.connection import Connection
from iacyclegan_tf.serving.client.exchange import server_at
from iacyclegan_tf.serving.contract import SERVABLES
from iacyclegan_tf.web.html import card_html, server_html
from iacyclegan_tf.web.remote_model import RemoteGallery, RemoteModel

Models = Trained | RemoteModel
_BLANK = np.full((64, 64, 3), 128, np.uint8)


def open_models(options: Namespace) -> Models:
    """Those that the command line names; mistakes are told before anything heavy is loaded."""
    if options.server:
        return RemoteModel(Connection(server_at(options.server)), options.label)
    if options.model is None and options.gallery and (options.gallery / FILE).is_file():
        models = own_models(GalleryStore(options.gallery))
        models.align = models.trained_on is None or models.trained_on.aligned
        return models
    return load(options.model, options.round, options.savedmodels)


def try_models(models: Models) -> None:
    """So that a page which comes up can answer, and answers its first visitor as fast as the next."""
    models.as_is().to_sketch(_BLANK)
    models.as_is().to_photo(_BLANK)


def about_html(models: Models) -> str:
    if isinstance(models, RemoteModel):
        return server_html(f"{models.name}, {models.number}", models.versions())
    cards = [models.card(servable) for servable in models.folders]
    try:
        return card_html(cards)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"The model cards of {models.name} {models.number} cannot be shown: {type(error).__name__} {error}."
        ) from None


def recognizes(models: Models) -> bool:
    """Whether there are recognizers, without which nothing can be searched: serving bases may have generators alone."""
    if isinstance(models, RemoteModel):
        return "none" not in models.versions().values()
    return set(models.folders) >= set(SERVABLES)


def open_gallery(place: Path, models: Models, scratch: Path, console) -> Gallery:
    """The index in ``place``, or a new one of the photos below it, in the folder ``scratch``.

    Files that could not be used are told to ``console``.
    """
    if (place / FILE).is_file():
        return (RemoteGallery if isinstance(models, RemoteModel) else Gallery)(GalleryStore(place), models)
    with counting_bar(console, "embedding photos") as progress:
        if isinstance(models, RemoteModel):
            gallery = RemoteGallery.start(scratch / "index", models)
            added: Added = gallery.add([place], progress)
        else:
            gallery, added = Gallery.build(place, scratch / "index", models, progress)
    for line in (*added.notes, *(f"passed over: {reason}" for reason in added.bad)):
        console.print(line, soft_wrap=True, markup=False)
    return gallery
