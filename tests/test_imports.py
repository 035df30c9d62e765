"""Imports point one way, heavy libraries stay in their place, and commands answer at once."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "iacyclegan_tf"
PACKAGE = ROOT / NAME

# The rooms of the house, from the cellar up: a module imports from lower floors only, or within its own package.
FLOORS = (
    {"errors": "the one error that a user sees"},
    {"thresholds": "rules of the evaluator"},
    {"atomic_files": "files whole or not there", "cluster": "which worker this is", "config": "all settings",
     "commands": "how a command ends", "strict_yaml": "plain YAML", "spreadsheet_names": "names in CSV"},
    {"config_file": "settings from YAML"},
    {"metrics": "what is measured, on arrays alone"},
    {"data": "images, pairs, streams", "index": "a gallery of vectors"},
    {"models": "the networks", "serving": "blessings, pushes, clients"},
    {"losses": "equations", "image_pool": "history of images", "schedules": "learning rate", "strategy": "devices",
     "adam": "optimizer", "descent": "a step taken or not", "centres": "from where recognizers measure"},
    {"networks": "built from settings", "nuisance": "along what recognizers do not look",
     "synthesis": "one step of IACycleGAN", "recognition": "one step of a recognizer",
     "memory": "what a run will need"},
    {"servables": "networks as they are served", "matching": "four ways to compare", "pair_matching": "another step of a recognizer"},
    {"evaluation": "a round's numbers", "calibration": "what a score means", "synthesised": "training images through a generator"},
    {"workers": "what they tell each other", "sharpness_calibration": "as sharp as real images"},
    {"checkpoint": "states", "run_folder": "where things lie", "monitor": "what a run tells", "publish": "SavedModels",
     "image_measures": "what is measured on images", "recognition_measures": "on scores", "distractors": "a bigger gallery"},
    {"served_networks": "networks to be served", "training": "one phase through fit", "snapshots": "the picture grid",
     "recognizer_export": "weights as a SavedModel",
     "finished_run": "a run, opened for reading", "full_evaluation": "every measure of a round",
     "evaluation_files": "what it leaves behind", "people_evaluation": "one photo each in the gallery",
     "photo_files": "photos, read ahead"},
    {"run_context": "what all phases share", "served": "exports, called as a server does", "report": "an evaluation to read"},
    {"synthesis_training": "a phase", "recognizer_training": "a phase", "people_training": "a phase",
     "comparison": "runs side by side", "trained": "exports, for whoever uses them",
     "translation_jobs": "which pictures go where", "pipeline": "Apache Beam", "results": "what a step leaves"},
    {"rounds": "mutual optimisation", "face_gallery": "photos, searched with a sketch",
     "translation": "pictures through a generator"},
    {"start": "from settings to a finished run", "ranked_list": "candidates in text", "rehearsal": "a few steps of it"},
    {"worker_run": "a run of several processes", "cost_model": "what it will cost", "contact_strip": "candidates in a picture",
     "run_evaluation": "from a run to its report", "run_pretraining": "from a folder of people to a recognizer",
     "web": "the page in a browser"},
    {"dry_run": "what a run would be"},
    {"train": "command", "prepare": "command", "weights": "command", "evaluate": "command", "compare": "command",
     "export": "command", "client": "command", "pretrain": "command",
     "translate": "command", "gallery": "command", "app": "command", "beam": "command"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PACKAGES = ("metrics", "data", "index", "models", "serving", "report", "web", "pipeline")  # rooms with modules of their own

MODULES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
           for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def imported(tree: ast.AST) -> list[str]:
    """Absolute names of all modules imported anywhere, also inside functions and for type checking."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def own_imports(tree: ast.AST) -> set[str]:
    """Of those, the modules of this package, e.g. ``data.images``."""
    names = {name.removeprefix(f"{NAME}.") for name in imported(tree) if name.startswith(f"{NAME}.")}
    return {known for known in MODULES for name in names if known in (name, f"{name}.__init__")}


def importers(library: str) -> list[str]:
    return [name for name, tree in TREES.items() if any(i.split(".")[0] == library for i in imported(tree))]


def test_every_module_has_its_floor():
    assert {name.split(".")[0] for name in MODULES} == set(FLOOR) & {name.split(".")[0] for name in MODULES}
    assert len(FLOOR) == sum(map(len, FLOORS)), "a room stands on two floors"


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_downwards(name):
    room = name.split(".")[0]
    for other in own_imports(TREES[name]):
        below = other.split(".")[0]
        inside = room == below and room in PACKAGES
        assert inside or FLOOR[below] < FLOOR[room], f"{name} imports {other}, which is not on a lower floor"


def test_no_two_modules_import_each_other_in_a_ring():
    """Inside a package, where floors say nothing."""
    graph = {name: own_imports(tree) for name, tree in TREES.items()}
    done = set()

    def visit(name, path):
        assert name not in path, f"a ring: {' -> '.join([*path, name])}"
        if name not in done:
            for other in graph[name]:
                if other != name.rpartition(".")[0] + ".__init__":
                    visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_metrics_need_numpy_scipy_and_errors_only():
    allowed = {*sys.stdlib_module_names, "numpy", "scipy", "skimage", NAME}
    for name in MODULES:
        if name.startswith("metrics."):
            assert {i.split(".")[0] for i in imported(TREES[name])} <= allowed, name
            assert {o.split(".")[0] for o in own_imports(TREES[name])} <= {"errors", "metrics"}, name


@pytest.mark.parametrize("library, file", [("tensorflow_addons", "recognition"), ("tensorflow_io", "data.images")])
def test_libraries_that_end_are_imported_in_one_file_each(library, file):
    assert importers(library) == [file]


def test_nothing_unsafe_is_imported():
    for library in ("pickle", "marshal", "shelve", "dill", "joblib"):
        assert importers(library) == []


# ---------------------------------------------------------------- commands

def has_main(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body)


COMMANDS = [name for name, tree in TREES.items() if has_main(tree)]
HEAVY = ("tensorflow", "keras", "tensorflow_addons", "tensorflow_io", "cv2", "matplotlib", "scipy", "skimage", "h5py", "rich",
         "gradio", "fastapi", "uvicorn", "apache_beam")


def help_of(name: str, *options: str) -> tuple[subprocess.CompletedProcess, float]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *options, "-m", f"{NAME}.{name}", "--help"], cwd=ROOT, capture_output=True, text=True)
    return done, time.perf_counter() - start


def test_commands_are_found():
    assert {"train", "prepare", "weights"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_loads_nothing_heavy(name):
    done, _ = help_of(name, "-X", "importtime")
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and len(done.stdout) > 100
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "import time:" in line}
    assert "argparse" in loaded  # the listing was understood
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_answers_within_a_second(name):
    """The best of three, since other programs may run on this machine."""
    assert min(help_of(name)[1] for _ in range(3)) < 1.0


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_defined_twice(name):
    """A second function or class of one name silently replaces the first."""
    for scope in ast.walk(TREES[name]):
        if isinstance(scope, (ast.Module, ast.ClassDef)):
            names = [node.name for node in scope.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                     and not any("overload" in ast.unparse(one) or ".setter" in ast.unparse(one) for one in node.decorator_list)]
            assert len(names) == len(set(names)), sorted({one for one in names if names.count(one) > 1})
