"""The same training step in PyTorch, with the same algebraic savings, to be compared with ours.

x and y go through each generator in one call, real features are not differentiated, real and past images go through
each discriminator in one call, discriminators and recognizers have no weight gradients while the generators learn, Adam
is the fused one. float32, or bfloat16 by autocast; contiguous or channels-last memory.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.step_settings import Contender, Setting

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
_MEAN = (129.1863, 104.7624, 93.5940)


def norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


class Block(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            norm(channels),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            norm(channels),
        )

    def forward(self, x):
        return x + self.layers(x)


def generator(s: Setting) -> nn.Module:
    f = s.filters
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, f, 7, bias=False), norm(f), nn.ReLU(True)]
    for i in (1, 2):
        layers += [nn.Conv2d(i * f, 2 * i * f, 3, 2, 1, bias=False), norm(2 * i * f), nn.ReLU(True)]
    layers += [Block(4 * f) for _ in range(s.blocks)]
    for i in (2, 1):
        if s.upsampling == "transpose":
            layers += [nn.ConvTranspose2d(2 * i * f, i * f, 3, 2, 1, output_padding=1, bias=False)]
        else:
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(2 * i * f, i * f, 3, 1, 1, bias=False)]
        layers += [norm(i * f), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(f, 3, 7))


def discriminator(s: Setting) -> nn.Module:
    f, layers = s.filters, [nn.Conv2d(3, s.filters, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    before = f
    for depth in range(1, s.layers + 1):
        after = f * min(2**depth, 8)
        layers += [
            nn.Conv2d(before, after, 4, 2 if depth < s.layers else 1, 1, bias=False),
            norm(after),
            nn.LeakyReLU(0.2, True),
        ]
        before = after
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 4, 1, 1))


class Recognizer(nn.Module):
    def __init__(self, width: float, side: int, layers: tuple[str, ...], normalization: str):
        super().__init__()
        self.side, self.layers = side, layers
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.stages, before = nn.ModuleList(), 3
        for channels, convolutions in _STAGES[: max(int(name[-1]) for name in layers)]:
            channels, stage = max(8, round(channels * width / 8) * 8), []
            for _ in range(convolutions):
                stage += [
                    nn.Conv2d(before, channels, 3, 1, 1),
                    *([nn.BatchNorm2d(channels).eval()] if normalization == "batch" else []),
                    nn.ReLU(True),
                ]
                before = channels
            self.stages.append(nn.Sequential(*stage, nn.MaxPool2d(2)))
        self.requires_grad_(False)

    def forward(self, images):
        if images.shape[2:] != (self.side, self.side):
            images = F.interpolate(images, (self.side, self.side), mode="bilinear", align_corners=False)
        hidden, found = (images + 1) * 127.5 - self.mean, []
        for number, stage in enumerate(self.stages, 1):
            hidden = stage(hidden)
            if f"pool{number}" in self.layers:
                found.append(hidden.float())
        return found


class Pool:
    """50 past images; each fresh one is stored, or with probability one half exchanged for an older one."""

    def __init__(self, capacity: int, generator: torch.Generator):
        self.images, self.capacity, self.generator = [], capacity, generator

    def query(self, batch):
        chosen = []
        for image in batch:
            if len(self.images) < self.capacity:
                self.images.append(image)
            elif torch.rand(1, generator=self.generator) < 0.5:
                place = int(torch.randint(self.capacity, (1,), generator=self.generator))
                image, self.images[place] = self.images[place], image
            chosen.append(image)
        return torch.stack(chosen)


def distance(fake, real):
    """The perception loss: mean squared distance of features of length 1."""
    pairs = ([F.normalize(side, dim=1, eps=1e-5) for side in pair] for pair in zip(fake, real))
    return sum(F.mse_loss(a, b) for a, b in pairs) / len(fake)


def started(network: nn.Module, layout) -> nn.Module:
    """With weights drawn as CycleGAN draws them."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0, 0.02)
    return network.to(memory_format=layout)


def build(s: Setting, contender: Contender):
    """The step as a function without arguments."""
    import numpy as np

    torch.manual_seed(0)
    layout = torch.channels_last if contender.channels_last else torch.contiguous_format
    g_x, g_y, d_x, d_y = (started(make(s), layout) for make in (generator, generator, discriminator, discriminator))
    phis = [Recognizer(*s.recognizer).to(memory_format=layout) for _ in range(2)] if s.recognizer else []
    g_weights, d_weights = ([p for network in pair for p in network.parameters()] for pair in ((g_x, g_y), (d_x, d_y)))
    average = [p.detach().clone() for p in g_weights]
    optimizers = [
        torch.optim.Adam(weights, 2e-4, (0.5, 0.999), eps=1e-7, fused=True) for weights in (g_weights, d_weights)
    ]
    pools = [Pool(50, torch.Generator().manual_seed(i)) for i in range(2)]
    random = np.random.default_rng(0)
    x, y = (
        torch.from_numpy(random.uniform(-1, 1, (s.batch, 3, s.height, s.width)).astype(np.float32)).to(
            memory_format=layout
        )
        for _ in range(2)
    )
    low = contender.precision != "float32"

    def autocast():
        return torch.autocast("cpu", dtype=getattr(torch, contender.precision) if low else torch.bfloat16, enabled=low)

    def through(network, images):
        with autocast():
            return network(images).float()

    def step():
        real = []
        with torch.no_grad(), autocast():
            real = [phi(images) for phi, images in zip(phis, (x, y))]
        for weights in d_weights:
            weights.requires_grad_(False)
        n = s.batch
        sketches, photos = (
            torch.tanh(through(network, torch.cat(images))) for network, images in ((g_x, (x, y)), (g_y, (y, x)))
        )
        fake_y, fake_x = sketches[:n], photos[:n]
        cycled_x, cycled_y = torch.tanh(through(g_y, fake_y)), torch.tanh(through(g_x, fake_x))
        adversarial = sum((through(d, fake) - 1).square().mean() for d, fake in ((d_y, fake_y), (d_x, fake_x)))
        cycle = F.l1_loss(cycled_x, x) + F.l1_loss(cycled_y, y)
        mapping = F.l1_loss(photos[n:], x) + F.l1_loss(sketches[n:], y)
        loss = adversarial + 10 * cycle + 5 * mapping
        if phis:
            with autocast():
                fakes = [phi(images) for phi, images in zip(phis, (fake_x, fake_y))]
            loss = loss + sum(distance(fake, true) for fake, true in zip(fakes, real))
        optimizers[0].zero_grad(set_to_none=True)
        loss.backward()
        optimizers[0].step()
        torch._foreach_lerp_(average, [p.detach() for p in g_weights], 0.01)
        for weights in d_weights:
            weights.requires_grad_(True)
        d_loss = 0
        for d, images, fake, pool in ((d_x, x, fake_x, pools[0]), (d_y, y, fake_y, pools[1])):
            judged = through(d, torch.cat([images, pool.query(fake.detach())]))
            d_loss = d_loss + 0.5 * ((judged[:n] - 1).square().mean() + judged[n:].square().mean())
        optimizers[1].zero_grad(set_to_none=True)
        d_loss.backward()
        optimizers[1].step()
        return [float(v.detach()) for v in (loss, adversarial, cycle, mapping, d_loss)]  # as our step gives its logs

    return step
