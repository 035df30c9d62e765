"""Convolutions whose products and gradients are put the way a CPU computes them fastest; the sums are the same."""

from __future__ import annotations

import tensorflow as tf

from iacyclegan_tf.common.keras_door import keras
from iacyclegan_tf.models.layers import on_gpu

# Fewer channels than this leave most of a vector register (16 float32) empty: a CPU's kernels fill it with channels.
_FEW = 4
# From this many channels on, matrix products beat oneDNN's own gradient of bfloat16 weights (docs/performance.md).
_MANY = 128


class Convolution(keras.layers.Conv2D):
    """Keras' ``Conv2D`` with the same variables and results, for padding ``valid``; on GPUs it is just that.

    On a CPU, convolutions of stride 1

    * onto few channels (the image at the end) compute 2×2 neighboring outputs as channels of one;
    * from few channels (the image at the start) compute the gradient of their input in that way;
    * in bfloat16 compute the gradient of their weights as one matrix product for each place in the kernel.

    The last two are gradients of our own, which only ``training=True`` asks for, so that exports have none.
    """

    def call(self, inputs, training=None):
        size = inputs.shape[1:3]
        if on_gpu() or self.padding != "valid" or self.strides != (1, 1) or None in size:
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)
        few_out = self.filters <= _FEW and _even_results(size, self.kernel_size)
        few_in = kernel.shape[2] <= _FEW and not any(side % 2 for side in size)
        bfloat16 = kernel.dtype == tf.bfloat16 and min(kernel.shape[2:]) >= _MANY
        if few_out:
            outputs = onto_few_channels(inputs, kernel)
        elif training and (few_in or bfloat16):
            outputs = _with_gradients(inputs, kernel, few_in, bfloat16)
        else:
            outputs = tf.nn.conv2d(inputs, kernel, 1, "VALID")
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def onto_few_channels(inputs, kernel):
    """``tf.nn.conv2d(inputs, kernel, 1, "VALID")`` where height and width of the result are even.

    The kernel, at its four places in a window one larger, gives 2×2 outputs at once with stride 2: a third more
    products than needed at 7×7, in four times as many channels.
    """
    places = [tf.pad(kernel, [[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]]) for i in (0, 1) for j in (0, 1)]
    return tf.nn.depth_to_space(tf.nn.conv2d(inputs, tf.concat(places, -1), 2, "VALID"), 2)


def input_gradient(kernel, outer):
    """Of a valid convolution of stride 1: a convolution of the padded outer gradient with the kernel turned around."""
    around = [[0, 0], *([size - 1] * 2 for size in kernel.shape[:2]), [0, 0]]
    return onto_few_channels(tf.pad(outer, around), tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2]))


def kernel_gradient(inputs, kernel, outer):
    """Of a valid convolution of stride 1: at each place of the kernel, all inputs it met times all outer gradients."""
    height, width = outer.shape[1:3]
    ins, outs = kernel.shape[2:]
    outer = tf.reshape(outer, [-1, outs])
    return tf.reshape(
        tf.stack(
            [
                tf.matmul(tf.reshape(inputs[:, i : i + height, j : j + width], [-1, ins]), outer, transpose_a=True)
                for i in range(kernel.shape[0])
                for j in range(kernel.shape[1])
            ]
        ),
        kernel.shape,
    )


def _with_gradients(inputs, kernel, own_input_gradient: bool, own_kernel_gradient: bool):
    one = {"strides": [1, 1, 1, 1], "padding": "VALID"}

    @tf.custom_gradient
    def convolution(inputs, kernel):
        def gradients(outer):
            return (
                input_gradient(kernel, outer)
                if own_input_gradient
                else tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=tf.shape(inputs), filter=kernel, out_backprop=outer, **one
                ),
                kernel_gradient(inputs, kernel, outer)
                if own_kernel_gradient
                else tf.raw_ops.Conv2DBackpropFilter(
                    input=inputs, filter_sizes=tf.shape(kernel), out_backprop=outer, **one
                ),
            )

        return tf.nn.conv2d(inputs, kernel, 1, "VALID"), gradients

    return convolution(inputs, kernel)


def _even_results(size, kernel_size) -> bool:
    """Images smaller than the kernel are left to TensorFlow's own refusal."""
    return all(side >= kernel and (side - kernel + 1) % 2 == 0 for side, kernel in zip(size, kernel_size))
