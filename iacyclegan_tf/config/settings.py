"""Every setting of a run, typed, with its range, its default and its reason. The defaults are the quickstart,
which alone pushes to a serving base.

``configs/*.yaml`` override these, found by name; ``reading.py`` reads them, ``ranges.py`` explains ranges. Marks: [P]
printed in the paper (arXiv 2103.16019), [I] inferred from the public CycleGAN that the paper builds on, [O] our own
choice.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Annotated, Literal

from iacyclegan_tf.config.ranges import (
    Allowed,
    Count,
    Decay,
    NotNegative,
    Positive,
    RunName,
    Several,
    Whole,
    between,
    multiple_of,
)

STRIDE = 4  # two stride-2 convolutions in the generator: both sides of an image must divide by it
Side = Annotated[int, multiple_of(STRIDE, "the generator halves it twice")]
Pairs = Annotated[int, Allowed("even and at least 4", lambda v: v >= 4 and v % 2 == 0)]
Square = Annotated[int, multiple_of(32, "VGG-16 halves it five times")]
AutoWeight = Annotated[float | Literal["auto"], Allowed("auto, or 0 or more", lambda v: v == "auto" or v >= 0)]
RECOGNIZER_LAYERS = {
    "vggface": ("pool1", "pool2", "pool3", "pool4", "pool5", "fc6", "fc7"),
    "dlib": ("conv1", "level4", "level3", "level2", "levels", "level1", "level0", "descriptor"),
}


@dataclass
class DrawnConfig:
    """The embedded data set: people drawn by parameters (``data/drawn/``)."""

    train_people: Count = 240
    test_people: Count = 48
    renderings: Count = 3  # photo-sketch pairs per training person; a test person has one
    seed: int = 7  # of the people themselves, apart from the seed of the training


@dataclass
class DataConfig:
    source: Literal["drawn", "pairs"] = "drawn"
    root: str = ""  # folder of real pairs (docs/data.md); given, source is "pairs"
    in_memory: bool = True  # false: the training images are read when their turn comes, with constant memory
    split_file: str = ""  # a file of names, where the split is in neither manifest, folders nor prefixes
    train_split: str = "train"
    test_split: str = "auto"  # "auto": the one other split that the data hold
    # of the training people, held out to judge each new recognizer [O]
    validation_share: Annotated[float, Allowed("between 0 and 0.9", lambda v: 0 < v < 0.9)] = 0.12
    skip_bad: bool = False  # go on without the files that cannot be read, after listing them
    fit: Literal["native", "pad", "squeeze"] = "squeeze"  # how an image is brought to the network
    height: Side = 80  # of the network's images; with "native" the padded size of the files is taken
    width: Side = 64
    flip: bool = True  # horizontal flip with probability 0.5 [P]
    enlarge: Annotated[float, between(1, 2)] = 1.117  # resized by this before the random crop: 286 / 256 [I]
    augment: Literal["together", "apart"] = "together"  # one crop and flip for photo and sketch, or two
    drawn: DrawnConfig = field(default_factory=DrawnConfig)


@dataclass
class GeneratorConfig:
    filters: Count = 16  # of the first convolution; 64 in the paper's networks [I]
    blocks: Whole = 4  # residual blocks; 6 at 128 px, 9 at 256 px [I]
    # "transpose" as Johnson; "resize" (nearest) avoids checkerboards [I]; "bilinear", in sketches the first time alone,
    # also avoids a weave of four pixels in hair [O]
    upsampling: Literal["transpose", "resize", "bilinear"] = "resize"
    ema: Decay = 0.99  # decay of the moving average used for evaluation and export; 0 switches it off [O]
    # outputs are sharpened to this share of the real images' gradient energy on the validation people; 0: never [O]
    sharpness: Annotated[float, between(0, 2)] = 0.0


@dataclass
class DiscriminatorConfig:
    filters: Count = 16  # C64-C128-C256-C512 with 64 [P names PatchGAN]
    layers: Count = 2  # stride-2 convolutions; 3 gives the 70x70 receptive field
    pool_size: Whole = 50  # generated images remembered per domain and replica [I]


@dataclass
class PretrainConfig:
    """Φ0 before the first round: without weights, or where an adapter stands on them, it learns from the pairs."""

    epochs: Whole = 40  # over the fitting people, matching: which sketch of the batch is this photo's? [O]
    batch: Pairs = 64  # images, as many photos as sketches
    learning_rate: Positive = 3e-3
    warmup: Whole = 0  # steps in which the rate rises to learning_rate; from there a cosine brings it to 0
    scale: Positive = 16.0  # of the cosines in the loss
    triplet_steps: Whole = 40  # after that, with the triplet loss


@dataclass
class FinetuneConfig:
    """Fine-tuning of each recognizer on real and synthesized images; not known from the paper [O]."""

    steps: Whole = 150
    people: Several = 16  # P people per batch ...
    images: Several = 2  # ... times K images each, real and synthesized in turn
    learning_rate: Positive = 3e-4
    margin: Positive = 0.3  # on unit vectors; tfa's default 1.0 is large for them


@dataclass
class ViewsConfig:
    """How the pairs' images are changed to train recognizers; with crop 1, shift 0 and light 0 as for synthesis [O]."""

    # the smallest part that is shown, a share of the sides; 0.6 is about the face alone
    crop: Annotated[float, between(0.2, 1)] = 1.0
    shift: NotNegative = 0.0  # a share of the side
    light: NotNegative = 0.0  # of contrast and brightness


@dataclass
class RecognizerConfig:
    # "vggface": VGG-16 in any width [P]; "dlib": a ResNet that knows faces already (docs/recognizers.md) [O]
    network: Literal["vggface", "dlib"] = "vggface"
    width: Positive = 0.125  # multiplies the channels of VGG-16; 1.0 is VGG-Face [P]
    input_size: Square = 64  # images are resized to a square of this side; 224 for VGG-Face [P]; dlib's is always 150
    # the layer that is L2-normalized and compared: pool2 .. fc7 of vggface, level4 .. descriptor of dlib
    embedding: Literal[
        "pool2", "pool3", "pool4", "pool5", "fc6", "fc7",
        "level4", "level3", "level2", "levels", "level1", "level0", "descriptor",
    ] = "pool3"  # fmt: skip
    adapter: bool = False  # frozen trunk; a 1×1 convolution on that layer, the identity at first, is trained [O]
    centred: bool = True  # measured from the nearest mean embedding of the training images (docs/recognizers.md) [O]
    normalization: Literal["none", "batch"] = "batch"  # "batch" trains from nothing; VGG-Face has "none" [P]
    # VGG-Face's (docs/weights.md) or dlib's (docs/recognizers.md); empty: dlib's installed ones, else pre-train
    weights: str = ""
    views: ViewsConfig = field(default_factory=ViewsConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)


@dataclass
class LossConfig:
    adversarial: Literal["lsgan", "log"] = "lsgan"  # [I] least squares; the paper prints the log form
    adversarial_weight: NotNegative = 1.0
    cycle_weight: NotNegative = 10.0  # [P]
    identity_mapping_weight: NotNegative = 5.0  # [P]
    identity_mapping_form: Literal["usual", "as_printed"] = "usual"  # Eq. 6 has a subscript slip
    perception_weight: AutoWeight = "auto"  # [P] 3e7, which means nothing without the next five
    perception_share: Positive = 4.0  # "auto": first weighted identity term / first weighted cycle term [O]
    perception_auto_steps: Count = 50  # steps over which "auto" takes its averages, then it stays fixed
    perception_layer: tuple[str, ...] = ("pool1", "pool2", "pool3")  # of the recognizer's network (RECOGNIZER_LAYERS)
    perception_normalization: Literal["none", "position", "vector"] = "position"  # L2, before comparing
    perception_reduction: Literal["mean", "sum"] = "mean"  # over the elements of a feature map
    perception_limit: Positive = 20.0  # the run stops when the first term exceeds this many times all others
    # [O] pixel by pixel against the partner; 0 is the paper's method, which has no such term
    paired_weight: NotNegative = 0.0
    paired_form: Literal["l1", "ssim", "ssim_l1"] = "ssim_l1"


@dataclass
class TrainConfig:
    epochs: Whole = 1  # at the constant rate, then ... ; 100 in the paper [P]
    decay_epochs: Whole = 1  # ... linearly to zero; 100 in the paper [P]
    batch: Count = 1  # over all replicas; instance norm and the paper's recipe want 1 per replica [I]
    learning_rate: Positive = 1e-3  # Adam; 2e-4 in the paper [P], whose rounds are a hundred times longer
    beta_1: Decay = 0.5  # [P]
    epsilon: Positive = 1e-8  # of Adam, which adds it to √v (engine/adam.py) [I]
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    recompute: bool = False  # residual blocks' activations again on the way back: less memory, more time
    jit_compile: bool = False  # XLA for the training step; slower on a CPU, never in exports
    deterministic: bool = True  # bit-for-bit repeats; costs a little on a GPU
    intra_op_threads: Whole = 1  # on a CPU: inside one operation; 1 suits small networks, 0 leaves it to TensorFlow
    memory_limit_gb: NotNegative = 0.0  # refuse a run estimated above this; 0: the machine's memory
    checkpoint_steps: Count = 200
    non_finite: Literal["stop", "lower_rate"] = "stop"  # or back to the last checkpoint with half the learning rate [O]
    non_finite_tries: Count = 3  # with "lower_rate": how often in one phase
    log_steps: Count = 50


@dataclass
class RoundsConfig:
    count: Count = 2
    schedule: Literal["generator_first", "recognizer_first"] = "recognizer_first"
    init: Literal["scratch", "continue"] = "continue"  # the networks at the start of each round [P: scratch]
    perception: bool = True  # False: the CycleGAN ablation, without the identity perception loss
    finetune: bool = True  # False: the control, recognizers frozen at their first state
    snapshots: Count = 6  # people in the picture grid
    snapshot_epochs: Count = 1


@dataclass
class DistributeConfig:
    devices: tuple[str, ...] = ()  # e.g. GPU:0,GPU:1; empty: all GPUs, else the one CPU


@dataclass
class ThresholdsConfig:
    """Rules that an export must meet to be blessed (``blessing_rules.py``); a servable without a rule is never blessed.

    A copy of the input gains nothing over the input; untrained networks are far below (docs/serving.md) [O].
    """

    photo_to_sketch: tuple[str, ...] = (
        "photo_to_sketch.ssim - trivial_baselines.photo_to_sketch.ssim.input >= 0.02",
        "photo_to_sketch.ssim change >= -0.02",
    )
    sketch_to_photo: tuple[str, ...] = (
        "sketch_to_photo.ssim - trivial_baselines.sketch_to_photo.ssim.input >= 0.02",
        "sketch_to_photo.ssim change >= -0.02",
    )
    photo_recognizer: tuple[str, ...] = ("retrieval.photo.rank1 >= 0.4", "retrieval.photo.rank1 change >= -0.05")
    sketch_recognizer: tuple[str, ...] = ("retrieval.sketch.rank1 >= 0.4", "retrieval.sketch.rank1 change >= -0.05")


@dataclass
class BatchingConfig:
    """What goes into ``batching.config``; docs/serving.md says when batching helps."""

    max_batch_size: Count = 16
    timeout_micros: Whole = 5000  # how long a request waits for others
    threads: Count = 2  # batches that run side by side; the server's cores


@dataclass
class ExportConfig:
    """From a round's SavedModels to the folder that TensorFlow Serving polls (docs/serving.md)."""

    thresholds: ThresholdsConfig = field(default_factory=ThresholdsConfig)
    infra_validation: bool = True  # loads and calls each export outside Python; off: none is pushed
    push: bool = False  # pushes what is blessed twice; the quickstart does
    destination: str = ""  # the serving base; empty: <savedmodels_dir>/serving
    version: Literal["next", "time"] = "next"  # one above the highest there, or the seconds since 1970
    # pushed versions of each servable that stay; a server serves the one before until it has loaded the new one
    keep: Annotated[int, Allowed("0 (all) or at least 2", lambda v: v == 0 or v >= 2)] = 3
    # where the server sees the base; /models suits a container
    server_path: Annotated[str, Allowed("an absolute path (/…)", lambda v: v.startswith("/"))] = "/models"
    version_policy: Literal["specific", "latest"] = "specific"  # "latest": a running server moves its labels by itself
    batching: BatchingConfig = field(default_factory=BatchingConfig)


@dataclass
class Config:
    name: RunName = "quickstart"  # of the run: runs/<name> and savedmodels/<name>
    seed: Annotated[int, between(0, 2**32 - 1)] = 0
    runs_dir: str = "runs"
    savedmodels_dir: str = "savedmodels"
    data: DataConfig = field(default_factory=DataConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    recognizer: RecognizerConfig = field(default_factory=RecognizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    rounds: RoundsConfig = field(default_factory=RoundsConfig)
    distribute: DistributeConfig = field(default_factory=DistributeConfig)
    export: ExportConfig = field(default_factory=ExportConfig)


def as_dict(config) -> dict:
    """Nested plain dictionaries and lists, ready for YAML or JSON."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


# Settings that may change between a run and its resumption, since no result depends on them before a fault.
FREE = ("runs_dir", "savedmodels_dir", "export.", "train.non_finite")


# Settings that are paths, in which ``~`` is expanded.
PATHS = (
    "runs_dir", "savedmodels_dir", "data.root", "data.split_file", "recognizer.weights", "export.destination",
)  # fmt: skip


def flat(values: dict, prefix: str = "") -> dict:
    """Nested settings by dotted name."""
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found
