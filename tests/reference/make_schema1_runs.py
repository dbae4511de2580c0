"""tests/fixtures/run/schema1: one tiny run directory of every kind, as the program wrote them under schema 1.

They are what "readers accept every schema that was ever released" is tested against, so they are made once, by a program
built from commit da3d0cc (the last one that writes schema 1), and never again by a later one:

    python3 tests/reference/make_schema1_runs.py PROGRAM

The models are trained here on the same few lines: one of four experts a layer, one dense (a single expert).
"""
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
OUT = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "run" / "schema1"
TRAIN = ["--vocab-size", "264", "--n-layers", "2", "--d-model", "8", "--n-heads", "2", "--d-expert", "4", "--n-ctx", "16",
         "--steps", "4", "--batch-sequences", "2", "--micro-sequences", "2", "--validation-frac", "0.2",
         "--validation-sequences", "2", "--validate-every", "2", "--seed", "3", "--init-std", "0.5"]
CONCEPTS = {"concepts": [{"name": "is_digit", "category": "text", "expressions": ["[0-9]+"]},
                         {"name": "is_upper", "category": "text", "expressions": ["[A-Z]+"]},
                         {"name": "is_snowman", "category": "text", "expressions": ["☃"]}]}
SWEEP = """experiment = "specialization"
densities = [0.3]
seeds = 2
eval_samples = 64
write_features = true
steps = 20
batch = 16
loss_every = 10
[[architecture]]
name = "dense"
[[architecture]]
name = "moe"
n_experts = 2
balance_coef = 0.01
"""


def corpus_lines(seed):
    draw = random.Random(seed)
    for i in range(24):
        text = "".join(draw.choice("aaabcdefg ABC 0123456789 ") for _ in range(30))
        yield json.dumps({"text": text, "meta": {"pile_set_name": ("Prose", "Github")[i % 2]}}) + "\n"


def run(folder, *arguments):
    subprocess.run([PROGRAM, *map(str, arguments), "--threads", "1"] if arguments[0] not in ("train", "report", "compare")
                   else [PROGRAM, *map(str, arguments)], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "corpus.jsonl").write_text("".join(corpus_lines(1)))
        (folder / "concepts.json").write_text(json.dumps(CONCEPTS))
        (folder / "sweep.toml").write_text(SWEEP)
        run(folder, "train", "--corpus", "corpus.jsonl", "--out", "moe", "--n-experts", 4, "--n-experts-per-token", 2, *TRAIN)
        run(folder, "train", "--corpus", "corpus.jsonl", "--out", "dense", "--n-experts", 1, "--n-experts-per-token", 1,
            *TRAIN)
        run(folder, "record", "moe", "corpus.jsonl", "--out", "record", "--tokens", 300, "--context", 16, "--window", 8,
            "--evidence", 2, "--evidence-reservoir", 10, "--evidence-per-decile", 1, "--trace-tokens", 300)
        run(folder, "label", "record", "--resamples", 100, "--max-terms", 1, "--beam", 2)
        probe = ["--concepts", "concepts.json", "--window-characters", 30, "--min-per-class", 4]
        run(folder, "probe", "moe", "corpus.jsonl", "--out", "probe", "--ks", 1, 2, *probe)
        run(folder, "probe", "dense", "corpus.jsonl", "--out", "probe_dense", "--ks", 1, 2, "--matched-width", 2,
            "--matched-experts", 2, *probe)
        run(folder, "superpose", "moe", "--run", "record", "--probes", "probe", "--out", "superpose", "--draws", 1,
            "--features", 4, "--least-tokens", 2, "--resamples", 100, "--no-figures")
        run(folder, "toy", "sweep.toml", "--out", "toy", "--no-figures")
        run(folder, "compare", "dense=probe_dense", "moe=probe", "--concepts", "concepts.json", "--out", "compare",
            "--resamples", 100, "--no-figures")
        for kind in ("record", "probe", "probe_dense", "superpose", "toy", "compare"):
            shutil.copytree(folder / kind, OUT / kind, ignore=shutil.ignore_patterns("*.parquet"))
        for kind in ("moe", "dense"):  # the model that a run is of, and the run of `train`
            shutil.copytree(folder / kind, OUT / kind, ignore=shutil.ignore_patterns("state"))
        shutil.copy(folder / "corpus.jsonl", OUT)
        shutil.copy(folder / "concepts.json", OUT)


main()
