"""A generator's export in OpenVINO, a runtime that shares no code with TensorFlow: the optional extra ``openvino``.

    pip install 'iacyclegan_tf[openvino]'
    translate = read_translator(Path("savedmodels/serving/photo_to_sketch/1"))
    sketches = translate(photos)      # float32 [N, h, w, 3] in 0..255, both ways

OpenVINO has no strings, so it runs the signature ``tensor`` only. TensorFlow reads the SavedModel and does not run it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openvino
from openvino import opset13 as ops
from openvino.frontend import ConversionExtension

from iacyclegan_tf.common.plain_paths import plain_path

_CUBIC = -0.5  # Keys's coefficient, in TensorFlow's bicubic kernel as in Pillow's


def read_translator(folder: Path, device: str = "CPU") -> Callable[[np.ndarray], np.ndarray]:
    """The signature ``tensor`` of a translator's version folder, in float32: the hint stands against bfloat16."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with plain_path(folder) as place:
        loaded = tf.saved_model.load(str(place))
    graph = convert_variables_to_constants_v2(loaded.signatures["tensor"]).graph.as_graph_def()
    core = openvino.Core()
    core.add_extension(ConversionExtension("ScaleAndTranslate", _scale_and_translate))
    with TemporaryDirectory() as place:
        file = Path(place) / "frozen.pb"
        file.write_bytes(graph.SerializeToString())
        model = core.read_model(file)
    compiled = core.compile_model(model, device, {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: compiled(np.asarray(images, np.float32))[0]


def _scale_and_translate(node):
    """``tf.image.resize(…, "bicubic", antialias=True)``: OpenVINO has no rule for its operation.

    Its inputs are images ``[N, h, w, C]``, size ``[2]``, scale and translation; the last two follow from the sizes, as
    resizing has no offset. Pillow's bicubic is the same antialiased Keys kernel.
    """
    images, size = node.get_input(0), node.get_input(1)
    resized = ops.interpolate(images, size, "bicubic_pillow", "sizes", axes=np.array([1, 2]), cube_coeff=_CUBIC)
    return resized.outputs()
