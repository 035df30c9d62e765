"""From the command line to what the page stands on: models, a gallery, and what is told about them."""

from __future__ import annotations

from argparse import Namespace

from iacyclegan_tf.serving.connecting import connected
from iacyclegan_tf.trained import Trained, load
from iacyclegan_tf.web.remote_model import RemoteModel
from iacyclegan_tf.web.results import Searcher
from iacyclegan_tf.web.words import card_html, server_html


def open_models(options: Namespace) -> Trained | RemoteModel:
    """Checked at once: a page that comes up can answer."""
    if options.server:
        return RemoteModel(connected(options.server, options.protocol), options.label)
    return load(options.model, options.round, options.savedmodels)


def about_html(models: Trained | RemoteModel) -> str:
    if isinstance(models, RemoteModel):
        return server_html(models.name, models.versions())
    return card_html([models.card(servable) for servable in models.folders])


def open_searcher(place: str | None, models: Trained | RemoteModel) -> Searcher | None:
    return None
