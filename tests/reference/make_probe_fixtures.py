"""Makes the fixtures of k-sparse probing with scikit-learn and pandas.

Run by hand: python tests/reference/make_probe_fixtures.py [FOLDER OF THE PUBLISHED CSV FILES]

tests/fixtures/stats/sparse_probe.txt: rankings, coefficients and scores of scikit-learn's LogisticRegression (balanced
classes, C = 1, newton-cholesky to 1e-12) on samples that the test draws again by the same arithmetic (SplitMix64).
tests/fixtures/report/published_best_layer.json: aggregates of published result files, by pandas; written only where the
folder is given. The files themselves are not part of the project.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score

ROOT = pathlib.Path(__file__).parent.parent / "fixtures"
MASK = (1 << 64) - 1
WIDTHS = [1, 2, 4, 8, 16, 32, 64]

# name: seed, rows, columns, share of positives, shift of a positive's column 0 (halved from column to column), scale
CASES = {
    "usual": (1, 400, 96, 0.5, 1.0, 1.0),
    "rare_positives": (2, 600, 70, 0.12, 0.8, 1.0),
    "separable": (3, 240, 64, 0.5, 40.0, 1.0),
    "large_values": (4, 300, 64, 0.4, 0.7, 3000.0),
    "small_values": (5, 300, 64, 0.4, 1.0, 0.002),
    "no_signal": (6, 260, 64, 0.5, 0.0, 1.0),
    "constant_columns": (7, 300, 80, 0.5, 0.9, 1.0),  # every third column is 0.25
    "few_columns": (8, 200, 5, 0.5, 0.9, 1.0),
}


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Random:
    """moescope::Random"""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        word = mix(self.state)
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return (word >> 11) * 2.0**-53


def draw(name, seed, n_rows, n_columns, share, shift, scale):
    random = Random(seed)
    rows, labels = np.zeros((n_rows, n_columns), np.float32), np.zeros(n_rows, int)
    for i in range(n_rows):
        labels[i] = random.uniform() < share
        for j in range(n_columns):
            value = random.uniform() + random.uniform() + random.uniform() - 1.5
            if labels[i]:
                value += shift / 2.0 ** min(j, 30)
            rows[i, j] = np.float32(0.25 if name == "constant_columns" and j % 3 == 2 else value * scale)
    return rows, labels, np.arange(n_rows) % 4 == 3  # every fourth row is the test part


def sparse_probes():
    lines = [f"# scikit-learn {sklearn.__version__}, numpy {np.__version__}"]
    for name, settings in CASES.items():
        rows, labels, is_test = draw(name, *settings)
        train, y = rows[~is_test].astype(float), labels[~is_test]
        test, y_test = rows[is_test].astype(float), labels[is_test]
        difference = np.abs(train[y == 1].mean(0) - train[y == 0].mean(0))
        order = np.argsort(-difference, kind="stable")
        top = order[: max(k for k in WIDTHS if k <= rows.shape[1])]
        gaps = -np.diff(difference[top])
        assert (gaps[difference[top][1:] > 0] > 1e-12).all(), f"{name}: a tie decides the ranking"
        lines.append("case " + " ".join(map(repr, (name,) + settings)).replace("'", ""))
        lines.append("ranked " + " ".join(map(str, top)))
        for k in WIDTHS:
            if k > rows.shape[1]:
                continue
            model = LogisticRegression(C=1.0, class_weight="balanced", solver="newton-cholesky", tol=1e-12, max_iter=1000)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model.fit(train[:, top[:k]], y)
            margin = np.abs(model.decision_function(test[:, top[:k]]))
            assert margin.min() > 1e-5 * margin.max(), f"{name}: a test row lies on the border"
            predicted = model.predict(test[:, top[:k]])
            scores = [f(y_test, predicted, zero_division=0) for f in (f1_score, precision_score, recall_score)]
            numbers = scores + [model.intercept_[0]] + list(model.coef_[0])
            lines.append(f"fit {k} " + " ".join(repr(float(x)) for x in numbers))
    path = ROOT / "stats/sparse_probe.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def published_aggregates(folder):
    import pandas

    result = {"pandas": pandas.__version__, "files": {}}
    for path in sorted(pathlib.Path(folder).glob("*.csv.gz")):
        table = pandas.read_csv(path)
        missing = pandas.to_numeric(table["f1"], errors="coerce").isna()
        table = table[~missing].assign(f1=lambda t: pandas.to_numeric(t["f1"]))
        best = table.groupby(["concept", "k"])["f1"].max()
        result["files"][path.name] = {
            "n_rows": int(len(missing)),
            "n_missing": int(missing.sum()),
            "n_concepts": int(table["concept"].nunique()),
            "mean_best_layer_f1": {str(k): float(v) for k, v in best.groupby("k").mean().items()},
            "best_layer_f1_of_noun": {str(k): float(v) for k, v in best["noun"].items()},
        }
    path = ROOT / "report/published_best_layer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


sparse_probes()
if len(sys.argv) > 1:
    published_aggregates(sys.argv[1])
