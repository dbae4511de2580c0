"""Probes per second of moescope against scikit-learn, one thread each, on the same neurons.

    python bench/probe_bench.py --bench build/probe_bench [--rows 630] [--width 1024] [--concepts 4] [--rounds 3]

Neurons are drawn like those of a gated expert: silu(gate) * up of a low-rank residual, which also decides the labels. 630
rows are what one of OLMoE's 64 experts sees of 5000 sampled tokens. Against
  saga    LogisticRegression(solver="saga", max_iter=500, class_weight="balanced"), as the published code calls it
  lbfgs   the same with solver="lbfgs", max_iter=2000, tol=1e-6
on the neurons that moescope's ranking chooses (gathering and ranking are in everybody's time). Checks first that F1 equals
that of lbfgs (but for tokens on the border). The sides take turns; prints JSON with medians and ratios of CPU time.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

WIDTHS = (1, 2, 4, 8, 16, 32, 64)
SOLVERS = {
    "saga": {"solver": "saga", "max_iter": 500},
    "lbfgs": {"solver": "lbfgs", "max_iter": 2000, "tol": 1e-6},
}


def draw(rows, width, concepts, generator):
    residual = generator.normal(size=(rows, 48))
    gate, up = (generator.normal(size=(48, width)) / 4 for _ in range(2))
    z = residual @ gate
    neurons = (z / (1 + np.exp(-z)) * (residual @ up)).astype(np.float32)
    directions = generator.normal(size=(48, concepts))
    noise = generator.normal(size=(rows, concepts)) * 3
    labels = (residual @ directions + noise > 1).astype(np.uint8)
    parts = np.where(generator.random(rows) < 0.75, 0, 2).astype(np.uint8)
    return neurons, labels, parts


def fit_all(neurons, labels, parts, options):
    scores = []
    train, test = parts == 0, parts == 2
    for y in labels.T:
        x = neurons[train].astype(np.float64)
        difference = np.abs(x[y[train] == 1].mean(0) - x[y[train] == 0].mean(0))
        order = np.argsort(-difference, kind="stable")[: max(WIDTHS)]
        for k in WIDTHS:
            model = LogisticRegression(C=1.0, class_weight="balanced", **options)
            model.fit(x[:, order[:k]], y[train])
            scores.append(f1_score(y[test], model.predict(neurons[test][:, order[:k]].astype(np.float64)), zero_division=0))
    return np.array(scores)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default="build/probe_bench")
    parser.add_argument("--rows", type=int, default=630)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--concepts", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # saga says that it did not converge

    neurons, labels, parts = draw(arguments.rows, arguments.width, arguments.concepts, np.random.default_rng(7))
    n_fits = arguments.concepts * len(WIDTHS)
    with tempfile.NamedTemporaryFile() as file:
        file.write(neurons.tobytes() + parts.tobytes() + np.ascontiguousarray(labels.T).tobytes())
        file.flush()
        command = [arguments.bench, file.name, *map(str, (arguments.rows, arguments.width, arguments.concepts))]
        ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        f1 = np.array(json.loads(ours.stdout.readline())["f1"])
        reference = fit_all(neurons, labels, parts, SOLVERS["lbfgs"])
        difference = np.abs(f1 - reference)
        print(f"F1 of {n_fits} fits: {int((difference < 1e-9).sum())} equal to lbfgs, largest difference {difference.max():.4f}", file=sys.stderr)
        if difference.max() > 0.03 or (difference < 1e-9).mean() < 0.9:
            sys.exit("F1 differs: nothing was timed")
        seconds = {"moescope": [], **{name: [] for name in SOLVERS}}
        for _ in range(arguments.rounds):
            ours.stdin.write("go\n")
            ours.stdin.flush()
            seconds["moescope"].append(json.loads(ours.stdout.readline())["cpu_s"])
            for name, options in SOLVERS.items():
                begin = time.process_time()
                fit_all(neurons, labels, parts, options)
                seconds[name].append(time.process_time() - begin)
        ours.stdin.close()
        ours.wait()
    median = {name: statistics.median(values) for name, values in seconds.items()}
    triples = 16 * 64 * 58
    print(json.dumps({
        "rows": arguments.rows, "width": arguments.width, "fits": n_fits, "scikit_learn": sklearn.__version__,
        "fits_per_cpu_s": {name: n_fits / value for name, value in median.items()},
        "times_faster_than": {name: median[name] / median["moescope"] for name in SOLVERS},
        "cpu_minutes_for_16_layers_64_experts_58_concepts_7_ks": median["moescope"] / arguments.concepts * triples / 60,
    }, indent=1))


main()
