"""Runs a VGG-Face file to its fc7 embedding by the conventions of its own format; shares no package code.

Each function takes the file and one RGB picture (uint8, 224x224x3) and gives fc7 after ReLU, L2-normalized.
Caffe files run in OpenCV's DNN module, MatConvNet's in plain numpy; Keras runs its own (test_vggface_weights.py).
"""

import cv2
import numpy as np
import scipy.io
from numpy.lib.stride_tricks import sliding_window_view
from vggface_files import MEAN_BGR

CONVS = [f"conv{block}_{i}" for block, count in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, count + 1)]
LAST_OF_BLOCK = {"conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"}


def normalized(vector):
    vector = np.asarray(vector, dtype=np.float64).reshape(-1)
    return vector / np.linalg.norm(vector)


def prototxt(outputs):
    """A Caffe network description whose layer widths are ``outputs``: name -> number."""
    text = ['name: "VGG" input: "data" input_dim: 1 input_dim: 3 input_dim: 224 input_dim: 224']
    bottom = "data"

    def add(name, kind, top, parameters=""):
        text.append(f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {parameters} }}')

    for name in CONVS:
        add(name, "Convolution", name, f"convolution_param {{ num_output: {outputs[name]} pad: 1 kernel_size: 3 }}")
        bottom = name
        add(f"relu_{name}", "ReLU", name)
        if name in LAST_OF_BLOCK:
            pool = f"pool{name[4]}"
            add(pool, "Pooling", pool, "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
            bottom = pool
    for name in ("fc6", "fc7"):
        add(name, "InnerProduct", name, f"inner_product_param {{ num_output: {outputs[name]} }}")
        bottom = name
        add(f"relu_{name}", "ReLU", name)
    return "\n".join(text)


def forward_caffe(path, rgb, outputs):
    description = path.with_suffix(".prototxt")
    description.write_text(prototxt(outputs))
    net = cv2.dnn.readNetFromCaffe(str(description), str(path))
    # The blob is built here: the order of blobFromImage's mean depends on its swapRB.
    pixels = rgb[..., ::-1].astype(np.float32) - np.float32(MEAN_BGR)
    net.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None])
    return normalized(net.forward("relu_fc7"))


def convolve(x, kernel, bias):
    """Cross-correlation of (H, W, C) with (h, w, C, O), no padding."""
    windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))  # H, W, C, h, w
    return np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])) + bias


def relu(x):
    return np.maximum(x, 0)


def trunk(x, weights):
    for name in CONVS:
        x = relu(convolve(np.pad(x, ((1, 1), (1, 1), (0, 0))), *weights[name]))
        if name in LAST_OF_BLOCK:
            height, width, channels = x.shape
            x = x.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))
    return x


def forward_matconvnet(path, rgb, outputs):
    content = scipy.io.loadmat(path, squeeze_me=True, struct_as_record=False)
    weights = {layer.name: (layer.weights[0], layer.weights[1]) for layer in content["layers"] if layer.type == "conv"}
    x = trunk(rgb.astype(np.float32) - content["meta"].normalization.averageImage, weights)
    x = relu(convolve(x, *weights["fc6"]))[0, 0]
    kernel, bias = weights["fc7"]  # 1x1 was squeezed away
    return normalized(relu(x @ kernel + bias))


FORWARDS = {"caffe": forward_caffe, "matconvnet": forward_matconvnet}
