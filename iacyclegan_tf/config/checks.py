"""Values that no run could use, refused with the setting, its value and what is allowed."""

from __future__ import annotations

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.config.rules import parse_rule
from iacyclegan_tf.config.settings import MOST_NUISANCE, PERCEPTION_LAYERS, SSIM_WINDOW, STRIDE, Config

_AT_LEAST_ONE = (
    "data.drawn.train_people data.drawn.test_people data.drawn.renderings data.height data.width "
    "generator.filters discriminator.filters discriminator.layers recognizer.pretrain.batch "
    "recognizer.finetune.people recognizer.finetune.images recognizer.people.variants train.batch train.checkpoint_steps "
    "train.log_steps train.non_finite_tries rounds.count rounds.snapshots rounds.snapshot_epochs loss.perception_auto_steps "
    "export.batching.max_batch_size export.batching.threads"
).split()


_NOT_NEGATIVE = (
    "generator.blocks discriminator.pool_size recognizer.pretrain.epochs recognizer.pretrain.triplet_steps "
    "recognizer.finetune.steps loss.adversarial_weight loss.cycle_weight loss.identity_mapping_weight loss.paired_weight "
    "recognizer.people.steps recognizer.people.warp recognizer.people.rotation recognizer.people.zoom "
    "recognizer.people.shift recognizer.views.shift recognizer.views.light train.epochs train.decay_epochs train.memory_limit_gb "
    "train.intra_op_threads export.keep export.batching.timeout_micros"
).split()


_POSITIVE = (
    "recognizer.width recognizer.pretrain.learning_rate recognizer.pretrain.scale recognizer.finetune.learning_rate "
    "recognizer.finetune.margin recognizer.people.learning_rate recognizer.people.scale train.learning_rate "
    "loss.perception_share loss.perception_limit"
).split()


def setting(config: Config, dotted: str):
    """The value of a dotted name, e.g. ``train.epochs``."""
    value = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def check(config: Config) -> None:
    """Raises ``UserError`` for values that no run could use; names setting, value and what is allowed."""
    for names, allowed, wrong in (
        (_AT_LEAST_ONE, "at least 1", lambda v: v < 1),
        (_NOT_NEGATIVE, "0 or more", lambda v: v < 0),
        (_POSITIVE, "more than 0", lambda v: v <= 0),
    ):
        for name in names:
            if wrong(setting(config, name)):
                raise UserError(f"{name} is {setting(config, name)}; it must be {allowed}.")
    data = config.data
    for name in ("height", "width"):
        if getattr(data, name) % STRIDE:
            raise UserError(
                f"data.{name} is {getattr(data, name)}; it must be divisible by {STRIDE}, "
                "because the generator halves it twice."
            )
    if data.source == "pairs" and not data.root:
        raise UserError("data.source is pairs, but data.root is empty; give the folder that holds the pairs.")
    if data.source == "drawn" and not data.in_memory:
        raise UserError("data.in_memory is false, which needs data.source=pairs: drawn faces are held in memory.")
    if not 1.0 <= data.enlarge <= 2.0:
        raise UserError(f"data.enlarge is {data.enlarge}; it must be from 1.0 to 2.0.")
    if not 0.0 < data.validation_share < 0.9:
        raise UserError(f"data.validation_share is {data.validation_share}; it must be between 0 and 0.9.")
    if not 0.0 <= config.generator.ema < 1.0:
        raise UserError(f"generator.ema is {config.generator.ema}; it must be at least 0 and below 1.")
    if not 0.0 <= config.generator.sharpness <= 2.0:
        raise UserError(f"generator.sharpness is {config.generator.sharpness}; it must be from 0 to 2.")
    if not 0.0 <= config.train.beta_1 < 1.0:
        raise UserError(f"train.beta_1 is {config.train.beta_1}; it must be at least 0 and below 1.")
    if not 0 <= config.seed < 2**32:
        raise UserError(f"seed is {config.seed}; it must be from 0 to {2**32 - 1}.")
    if config.loss.perception_weight != "auto" and config.loss.perception_weight < 0:
        raise UserError(f"loss.perception_weight is {config.loss.perception_weight}; it must be auto, or 0 or more.")
    if config.loss.paired_weight > 0 and data.augment != "together":
        raise UserError(
            f"loss.paired_weight is {config.loss.paired_weight} with data.augment={data.augment}; a photo and a sketch "
            "that are cropped apart cannot be compared pixel by pixel. Use data.augment=together, or 0."
        )
    if config.loss.paired_weight > 0 and min(data.height, data.width) < SSIM_WINDOW:
        raise UserError(
            f"loss.paired_weight is {config.loss.paired_weight} with images of {data.width}×{data.height}; SSIM needs "
            f"{SSIM_WINDOW} pixels in height and width."
        )
    if config.train.epochs + config.train.decay_epochs < 1:
        raise UserError("train.epochs and train.decay_epochs are both 0; a round needs at least one epoch.")
    if config.recognizer.input_size < 32 or config.recognizer.input_size % 32:
        raise UserError(
            f"recognizer.input_size is {config.recognizer.input_size}; it must be divisible by 32, "
            "because VGG-16 halves it five times, and positive."
        )
    if not 0 <= config.recognizer.nuisance <= MOST_NUISANCE:
        raise UserError(f"recognizer.nuisance is {config.recognizer.nuisance}; it must be from 0 to {MOST_NUISANCE}.")
    if config.recognizer.nuisance and not config.recognizer.centred:
        raise UserError(
            f"recognizer.nuisance is {config.recognizer.nuisance} with recognizer.centred=false; what two images of a person "
            "differ in is only found after what all differ in. Use recognizer.centred=true, or 0."
        )
    if not 0.2 <= config.recognizer.views.crop <= 1.0:
        raise UserError(f"recognizer.views.crop is {config.recognizer.views.crop}; it must be from 0.2 to 1.")
    if config.recognizer.pretrain.task == "matching" and (
        config.recognizer.pretrain.batch < 4 or config.recognizer.pretrain.batch % 2
    ):
        raise UserError(
            f"recognizer.pretrain.batch is {config.recognizer.pretrain.batch}; for matching it must be even and at "
            "least 4: as many photos as sketches, of two people or more."
        )
    for name in ("recognizer.people.people", "recognizer.people.photos"):
        if setting(config, name) < 2:
            raise UserError(
                f"{name} is {setting(config, name)}; it must be at least 2: each photo is told to find another of its "
                "person among those of others."
            )
    if config.recognizer.pretrain_root and config.recognizer.weights:
        raise UserError(
            "recognizer.weights and recognizer.pretrain_root are both given; pre-training would undo the weights. "
            "Leave one of them empty."
        )
    if config.recognizer.finetune.people < 2 or config.recognizer.finetune.images < 2:
        raise UserError(
            "recognizer.finetune.people and .images must both be at least 2: a triplet needs "
            "two images of one person and one of another."
        )
    unknown = [layer for layer in config.loss.perception_layer if layer not in PERCEPTION_LAYERS]
    if unknown or not config.loss.perception_layer:
        raise UserError(
            f"loss.perception_layer is {list(config.loss.perception_layer)}; "
            f"choose one or more of {', '.join(PERCEPTION_LAYERS)}."
        )
    if not config.name or "/" in config.name or config.name.startswith("."):
        raise UserError(f"name is {config.name!r}; it must be a plain folder name.")
    if config.name == "serving":
        raise UserError("name is 'serving'; savedmodels/serving is the folder that servers poll. Give another name.")
    for servable, rules in vars(config.export.thresholds).items():
        for rule in rules:
            parse_rule(rule, f"export.thresholds.{servable}")
    if config.export.keep == 1:
        raise UserError(
            "export.keep is 1; it must be 0 (all) or at least 2, since a server serves the version before "
            "until it has loaded the new one."
        )
    if not config.export.server_path.startswith("/"):
        raise UserError(f"export.server_path is {config.export.server_path!r}; servers want an absolute path.")
