"""Who is drawn: the lasting traits of an identity, and the passing view of one rendering.

Every trait is a standard score z; its value is ``mean + spread * z`` in the units of a 200 x 250 portrait
whose eye centers lie at (75, 125) and (125, 125), the alignment used for CUFS (Wang and Tang 2009).
A caricature multiplies z, that is: it pushes the face away from the mean face.
"""

from dataclasses import dataclass, replace

import numpy as np

# name: (mean, spread, what is added to z for women)
TRAITS: dict[str, tuple[float, float, float]] = {
    "face_width": (60.0, 4.0, -0.5),  # half width at the cheek bones
    "jaw": (0.85, 0.055, -0.5),  # jaw width / face width
    "chin_drop": (97.0, 5.5, -0.5),  # chin below the eye line
    "chin_width": (19.0, 4.5, -0.4),
    "forehead": (54.0, 5.5, 0.0),  # hairline above the eye line
    "skull": (83.0, 3.5, 0.0),  # top of the skull above the eye line
    "cheek": (0.0, 1.0, 0.2),  # hollow (-) or full (+)
    "ear": (17.0, 2.2, -0.4),
    "neck": (36.0, 4.0, -0.9),
    "eye_width": (14.0, 1.4, 0.2),  # half width
    "eye_open": (5.6, 1.2, 0.4),  # half height
    "eye_tilt": (0.05, 0.07, 0.3),  # radians, outer corner up
    "lid_crease": (4.0, 1.3, 0.0),
    "iris": (5.9, 0.4, 0.0),
    "socket": (0.5, 0.25, -0.3),  # depth of the eye sockets
    "brow_height": (20.0, 3.0, 0.3),
    "brow_length": (18.0, 2.0, 0.0),  # half length
    "brow_thick": (2.7, 0.9, -0.8),  # half thickness
    "brow_slope": (0.03, 0.11, 0.0),
    "brow_arch": (3.6, 1.7, 0.4),
    "nose_length": (36.0, 3.8, -0.3),
    "nose_width": (14.5, 2.3, -0.4),  # half width at the wings
    "nose_bridge": (5.0, 1.2, 0.0),
    "nose_tip": (0.0, 1.6, -0.3),  # tip hangs (+) or is turned up (-)
    "mouth_drop": (58.0, 3.4, 0.0),  # mouth below the eye line
    "mouth_width": (22.5, 3.0, -0.2),  # half width
    "lip_upper": (4.4, 1.4, 0.6),
    "lip_lower": (6.6, 1.7, 0.5),
    "mouth_curve": (0.0, 1.6, 0.0),  # corners up (+) or down (-)
    "age": (0.35, 0.3, 0.0),  # 0 smooth, 1 deep lines
    "skin": (0.35, 0.27, 0.0),  # 0 light, 1 dark
    "skin_warmth": (0.5, 0.2, 0.0),
    "hair_tone": (0.35, 0.28, 0.0),  # 0 black, 1 fair or white
    "hair_warmth": (0.6, 0.3, 0.0),
    "hair_volume": (1.0, 0.22, 0.0),
    "parting": (0.0, 13.0, 0.0),
    "eye_color": (0.4, 0.35, 0.0),
    "brow_tone": (0.0, 0.22, 0.0),  # brows lighter (+) or darker (-) than the hair
    "lip_tone": (0.35, 0.25, 1.0),  # 0 pale, 1 dark
}
NAMES = {name: index for index, name in enumerate(TRAITS)}
TONES = ("skin", "skin_warmth", "hair_tone", "hair_warmth", "eye_color", "brow_tone", "lip_tone", "age")
MEANS, SPREADS, WOMEN = (np.array(column) for column in zip(*TRAITS.values()))
# Faces are alike: set so that comparing a sketch with photos directly fails about every second time.
SHAPE_SPREAD = 0.28
SPREADS = np.array([s if n in TONES else SHAPE_SPREAD * s for n, s in zip(TRAITS, SPREADS)])
HAIR_OF_MEN = ("crop", "crop", "crop", "parted", "parted", "receding", "buzz", "fringe")
HAIR_OF_WOMEN = ("long", "long", "wavy", "bob", "bob", "tied", "tied", "curly")


@dataclass(frozen=True, eq=False)  # hashed as an object, which lets outlines be cached
class Person:
    """The face itself. ``z``: float64 [traits], standard scores in the order of ``TRAITS``."""

    z: np.ndarray
    hair: str
    beard: str  # "none", "stubble", "moustache", "full"
    glasses: str  # "none", "round", "square"
    moles: np.ndarray  # [n, 2], position in units of (face_width, chin_drop)

    def __getitem__(self, trait: str) -> float:
        index = NAMES[trait]
        return float(MEANS[index] + SPREADS[index] * self.z[index])

    def moved(self, **offsets: float) -> "Person":
        """The same person with standard scores moved by ``offsets`` (trait name = amount)."""
        z = self.z.copy()
        for trait, amount in offsets.items():
            z[NAMES[trait]] += amount
        return replace(self, z=z)


@dataclass(frozen=True)
class View:
    """What changes between two renderings of one person. Lengths in units of the 200 x 250 portrait."""

    roll: float  # radians
    scale: float
    shift: tuple[float, float]
    yaw: float  # sideways shift of the middle of the face
    smile: float  # about -0.5 .. 1
    mouth_open: float  # 0 .. 1
    light: tuple[float, float, float]  # direction towards the light, unit length, y down, z to the viewer
    ambient: float
    exposure: float
    background: tuple[float, float, float]  # RGB, 0 .. 255
    falloff: tuple[float, float]  # how the background darkens to the right and downwards
    clothes: tuple[float, float, float]
    collar: str  # "round", "vee", "shirt"
    hatching: float = 38.0  # direction of the pencil's strokes in degrees; a photo has none


def draw_person(random: np.random.Generator) -> Person:
    """A new identity: traits are uniform, of unit variance; styles are drawn from short lists."""
    woman = bool(random.random() < 0.45)
    z = random.uniform(-1.75, 1.75, size=len(TRAITS)) + woman * WOMEN
    hair = str(random.choice(HAIR_OF_WOMEN if woman else HAIR_OF_MEN))
    beard = "none" if woman else str(random.choice(["none", "none", "none", "stubble", "moustache", "full"]))
    glasses = str(random.choice(["none", "round", "square"], p=[0.84, 0.08, 0.08]))
    moles = random.uniform([-0.8, -0.4], [0.8, 0.85], size=(int(random.integers(0, 3)), 2))
    return Person(z, hair, beard, glasses, moles)


def draw_view(random: np.random.Generator) -> View:
    """A new rendering: pose, expression, light, background and clothes."""
    towards = np.array([random.uniform(-0.75, 0.75), random.uniform(-0.65, -0.25), 1.0])
    gray = random.uniform(130, 200)  # one studio: a sketch cannot tell of the wall behind
    return View(
        roll=random.normal() * 0.02,
        scale=1 + random.normal() * 0.015,
        shift=(random.normal() * 1.3, random.normal() * 1.3),
        yaw=random.normal() * 3.0,
        smile=random.uniform(-0.3, 0.9),
        mouth_open=max(0.0, random.uniform(-1.0, 0.8)),
        light=tuple(towards / np.linalg.norm(towards)),
        ambient=random.uniform(0.42, 0.58),
        exposure=random.uniform(0.92, 1.06),
        background=tuple(np.clip(gray + random.normal(size=3) * 8, 50, 240)),
        falloff=tuple(random.uniform(-0.15, 0.15, size=2)),
        clothes=tuple(np.clip(random.uniform(40, 220) + random.normal(size=3) * 28, 20, 240)),
        collar=str(random.choice(["round", "vee", "shirt"])),
    )


def with_expression(person: Person, view: View) -> Person:
    """The person as this view shows it: a smile widens the mouth and narrows the eyes."""
    smile, open_mouth = view.smile, view.mouth_open
    return person.moved(
        mouth_width=0.8 * smile,
        mouth_curve=1.3 * smile,
        lip_upper=-0.35 * smile,
        eye_open=-0.35 * smile,
        brow_height=0.5 * open_mouth,
        chin_drop=0.5 * open_mouth,
    )


def caricature(person: Person, factor: float) -> Person:
    """Pushes every trait away from the mean face; tone and color stay as they are."""
    z = person.z * factor
    for trait in TONES:
        z[NAMES[trait]] = person.z[NAMES[trait]]
    return replace(person, z=z)


# The sketch is aligned by its own eyes, so its placing errs independently of the photo's.
MISPLACED, MISTURNED, MISSCALED = 1.3, 0.014, 0.012
LIGHT_FAITH = 0.35  # how much of the photo's light the artist takes over; expression and turn are copied
HATCHING_TURN = 15.0  # standard deviation of the strokes' direction from sketch to sketch, degrees


def as_drawn(view: View, artist: np.random.Generator) -> View:
    """The view as the artist puts it on paper: the expression is copied, the light leans to a studio habit."""
    habit = np.array([artist.normal() * 0.3, -0.45 + artist.normal() * 0.1, 1.0])
    towards = LIGHT_FAITH * np.array(view.light) / view.light[2] + (1 - LIGHT_FAITH) * habit
    return replace(
        view,
        light=tuple(towards / np.linalg.norm(towards)),
        roll=artist.normal() * MISTURNED,
        scale=1 + artist.normal() * MISSCALED,
        shift=tuple(artist.normal(size=2) * MISPLACED),
        yaw=view.yaw + artist.normal(),
        mouth_open=max(0.0, view.mouth_open + artist.normal() * 0.1),
        hatching=5.0 * round(artist.normal(38.0, HATCHING_TURN) / 5.0),
    )
