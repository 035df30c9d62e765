"""Writes random VGG-Face weights in the layouts of the public files; shares no code with the readers.

A network is a dict of layer name -> (kernel HWIO with R, G, B as conv1_1's inputs, bias), fc6 a 7x7 kernel.
"""

import h5py
import numpy as np
import scipy.io

MEAN_BGR = (93.5940, 104.7624, 129.1863)
BLOCKS_THIN = ((8, 8), (8, 8), (16, 16, 16), (32, 32, 32), (32, 32, 32))
BLOCKS_TINY = ((2, 2), (2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))
BLOCKS_FULL = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)


def random_network(blocks, fully_connected, classes, grid, seed=0, has_top=True):
    """He-scaled values, so that activations neither vanish nor grow; biases that matter."""
    rng = np.random.default_rng(seed)
    shapes, inputs = {}, 3
    for block, widths in enumerate(blocks, 1):
        for position, width in enumerate(widths, 1):
            shapes[f"conv{block}_{position}"] = (3, 3, inputs, width)
            inputs = width
    if has_top:
        shapes["fc6"] = (grid, grid, inputs, fully_connected[0])
        shapes["fc7"] = (1, 1, *fully_connected)
        shapes["fc8"] = (1, 1, fully_connected[1], classes)
    network = {}
    for name, shape in shapes.items():
        scale = np.float32(np.sqrt(2 / np.prod(shape[:3])))
        kernel = rng.standard_normal(shape, dtype=np.float32)
        kernel *= scale
        network[name] = (kernel, rng.normal(0, 0.5, shape[3]).astype(np.float32))
    return network


def bgr_first(network):
    """The same network for B, G, R pixels."""
    kernel, bias = network["conv1_1"]
    return {**network, "conv1_1": (kernel[:, :, [2, 1, 0], :], bias)}


# ---------------------------------------------------------------- Caffe


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def message(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number_field(number, value):
    return varint(number << 3) + varint(value)


def blob(array, legacy=True, dtype="<f4"):
    """Pieces of a BlobProto; ``legacy`` writes num, channels, height, width as VGG_FACE.caffemodel does."""
    data = np.ascontiguousarray(array, dtype=dtype)
    if legacy:
        padded = (1,) * (4 - array.ndim) + array.shape
        head = b"".join(number_field(i, size) for i, size in enumerate(padded, 1))
    else:
        head = message(7, message(1, b"".join(varint(size) for size in array.shape)))
    field = 5 if dtype == "<f4" else 8
    return [head + varint(field << 3 | 2) + varint(data.nbytes), data.reshape(-1).view(np.uint8).data]


def caffe_layer(name, blobs, legacy=True):
    """Pieces of one V1LayerParameter (``legacy``) or LayerParameter."""
    top, kind, blobs_field, net_field = (3, 5, 6, 2) if legacy else (4, 2, 7, 100)
    is_conv = name.startswith("conv")
    if legacy:
        kind_field = number_field(kind, 4 if is_conv else 14)
    else:
        kind_field = message(kind, b"Convolution" if is_conv else b"InnerProduct")
    pieces = [message(4 if legacy else 1, name.encode()) + kind_field + message(top, name.encode())]
    for piece in blobs:
        size = sum(len(part) for part in piece)
        pieces += [varint(blobs_field << 3 | 2) + varint(size), *piece]
    return [varint(net_field << 3 | 2) + varint(sum(len(part) for part in pieces)), *pieces]


def caffe_kernel(name, kernel):
    oihw = np.transpose(kernel, (3, 2, 0, 1))
    return oihw if name.startswith("conv") else oihw.reshape(oihw.shape[0], -1)


def write_caffe(path, network, legacy=True, dtype="<f4"):
    with open(path, "wb") as file:
        file.write(message(1, b"VGG_FACE_16_layers"))
        for name, (kernel, bias) in bgr_first(network).items():
            blobs = [blob(caffe_kernel(name, kernel), legacy, dtype), blob(bias, legacy, dtype)]
            for piece in caffe_layer(name, blobs, legacy):
                file.write(piece)
            if legacy:  # a layer without weights follows, as in the genuine file
                relu = message(4, b"relu_" + name.encode()) + number_field(5, 18)
                file.write(message(2, relu))
    return path


# ---------------------------------------------------------------- MatConvNet


def cell(values):
    out = np.empty((1, len(values)), dtype=object)
    for index, value in enumerate(values):
        out[0, index] = value
    return out


def mat_content(network, mean=(129.1863, 104.7624, 93.5940), wrapped=False, oldest=False):
    layers = []
    for name, (kernel, bias) in network.items():
        weights = {"filters": kernel, "biases": bias[None]} if oldest else {"weights": cell([kernel, bias[:, None]])}
        layers += [
            {"type": "conv", "name": name, "stride": 1.0, "pad": float(name[:2] == "co"), **weights},
            {"type": "relu", "name": f"relu_{name}"},
        ]
    average = np.asarray(mean, dtype=np.float32).reshape(1, 1, 3) if np.size(mean) == 3 else mean
    normalization = {"averageImage": average, "imageSize": np.array([224.0, 224.0, 3.0])}
    meta = {"normalization": normalization} if oldest else {"meta": {"normalization": normalization}}
    content = {"layers": cell(layers), **meta}
    return {"net": content} if wrapped else content


def write_matconvnet(path, network, compress=False, **options):
    with open(path, "wb") as file:
        scipy.io.savemat(file, mat_content(network, **options), do_compression=compress)
    return path


# ---------------------------------------------------------------- Keras


def write_keras_h5(path, layers, keras1=False, whole_model=False):
    """``layers``: list of (name, kernel or None, bias), in the layout of Keras' save_weights."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.attrs["layer_names"] = np.array([name.encode() for name, _, _ in layers])
        for name, kernel, bias in layers:
            group = root.require_group(name)
            names = (
                []
                if kernel is None
                else ([f"{name}_W:0", f"{name}_b:0"] if keras1 else [f"{name}/kernel:0", f"{name}/bias:0"])
            )
            group.attrs["weight_names"] = np.array([n.encode() for n in names], dtype="S40")
            for dataset, values in zip(names, (kernel, bias)):
                group[dataset] = values
    return path


def keras_vggface_layers(network):
    """(name, kernel, bias) with dense fc layers, and the weightless layers between."""
    layers = [("input_1", None, None)]
    for name, (kernel, bias) in bgr_first(network).items():
        dense = name.startswith("fc")
        layers.append((name, kernel.reshape(-1, kernel.shape[3]) if dense else kernel, bias))
        if dense:
            layers.append((f"{name}/relu", None, None))
    return layers


def write_keras_vggface(path, network, **options):
    return write_keras_h5(path, keras_vggface_layers(network), **options)


def write_deepface(path, network, **options):
    layers = []
    for index, (kernel, bias) in enumerate(bgr_first(network).values(), 1):
        layers += [(f"zero_padding2d_{index}", None, None), (f"conv2d_{index}", kernel, bias)]
    return write_keras_h5(path, layers, **options)


WRITERS = {
    "caffe": write_caffe,
    "matconvnet": write_matconvnet,
    "keras-vggface": write_keras_vggface,
    "deepface": write_deepface,
}
