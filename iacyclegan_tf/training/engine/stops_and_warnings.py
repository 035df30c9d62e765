"""Stops and warnings during training: non-finite numbers, a discriminator at zero, a drowning identity loss."""

from __future__ import annotations

import math
from collections.abc import Callable

from iacyclegan_tf.common.errors import UserError
from iacyclegan_tf.training.engine.history import PhaseCallback


class NonFinite(Exception):
    """Step ``step`` was not taken since a loss or a gradient was not finite."""

    def __init__(self, sentence: str, step: int):
        super().__init__(sentence)
        self.step = step


class StopOnNonFinite(PhaseCallback):
    """Raises ``NonFinite`` when any logged number is not finite, before that state could be saved."""

    def after_step(self, logs):
        bad = {name: float(value) for name, value in logs.items() if not math.isfinite(float(value))}
        if bad:
            named = ", ".join(f"{name} became {value}" for name, value in list(bad.items())[:4])
            more = f" and {len(bad) - 4} more" if len(bad) > 4 else ""
            raise NonFinite(f"{self.phase_name}, step {self.step}: {named}{more}.", self.step)


class DiscriminatorAtZero(PhaseCallback):
    """Warns, once a phase and discriminator, when its mean loss over ``every`` steps is below ``LIMIT``.

    It then tells real from generated without fail, and its answer has no slope left from which a generator could learn.
    Least squares: 0.25 where it cannot tell, 0.005 where it is 0.07 off the right answer on average.
    """

    LIMIT = 0.005

    def __init__(self, say: Callable[[str], None], every: int = 50):
        super().__init__()
        self.say, self.every, self.warned = say, every, set()
        self.sums = dict.fromkeys(("photo", "sketch"), 0.0)

    def after_step(self, logs):
        for name in self.sums:
            self.sums[name] += float(logs[f"loss/{name}_discriminator"])
        if (self.step - self.first_step) % self.every:
            return
        for name, total in self.sums.items():
            mean = total / self.every
            if mean < self.LIMIT and name not in self.warned:
                self.warned.add(name)
                self.say(
                    f"Warning: {self.phase_name}, step {self.step}: the {name} discriminator's loss is {mean:.2g} on "
                    f"average over {self.every} steps, below {self.LIMIT:g}: the generators learn nothing from it. Try "
                    "fewer discriminator.filters or a larger discriminator.pool_size."
                )
            self.sums[name] = 0.0


class PerceptionLimit(PhaseCallback):
    """Stops at the first step when the weighted identity term would drown all other generator losses."""

    def __init__(self, limit: float):
        super().__init__()
        self.limit = limit

    def after_step(self, logs):
        if self.step > 1:
            return
        perception = float(logs["weighted/identity_perception"])
        others = sum(float(logs[f"weighted/{name}"]) for name in ("adversarial", "cycle", "identity_mapping"))
        if perception > self.limit * others:
            raise UserError(
                f"The first weighted identity perception loss is {perception:.4g}, more than {self.limit:g} times all "
                f"other generator losses together ({others:.4g}). The printed weight 3e7 means nothing without its "
                "layer, normalization and scale: set loss.perception_weight=auto, or raise loss.perception_limit."
            )
