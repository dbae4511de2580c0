"""Tokenizing speed of moescope against Hugging Face's tokenizers: one thread each, ids and character offsets.

    python bench/tokenizer_bench.py --bench build/tokenizer_bench --tokenizer TOKENIZER.json --corpus CORPUS.jsonl.zst

Checks first that ids and offsets of every document are equal. Then the two sides take turns, because machines vary
within minutes; prints JSON with the median and the spread of MB/s (by CPU time, which other programs on the machine
disturb least) and of the ratio of neighbouring runs. Ends with 1 if results differ.
"""
import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time

import tokenizers

MASK = (1 << 64) - 1


def hash_of(encoding):
    value = 0xCBF29CE484222325
    for token, (begin, end) in zip(encoding.ids, encoding.offsets):
        for word in (token, begin, end):
            value = ((value ^ word) * 0x100000001B3) & MASK
    return f"{value:016x}"


def read_texts(corpus):
    command = ["zstdcat", corpus] if corpus.endswith(".zst") else ["cat", corpus]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.decode().splitlines()
    return [json.loads(line)["text"] for line in lines]


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def output_of(*command):
    found = subprocess.run(command, capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None


def processor():
    with open("/proc/cpuinfo") as lines:
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default="build/tokenizer_bench")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()

    reference = tokenizers.Tokenizer.from_file(arguments.tokenizer)
    texts = read_texts(arguments.corpus)
    ours = subprocess.Popen([arguments.bench, arguments.tokenizer, arguments.corpus], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    checked = json.loads(ours.stdout.readline())
    hashes = [hash_of(reference.encode(text, add_special_tokens=False)) for text in texts]
    if hashes != checked["hashes"]:
        sys.exit("results differ: nothing to time")

    megabytes = checked["bytes"] / 1e6
    rows = []
    for _ in range(arguments.runs):
        start, wall = time.process_time(), time.perf_counter()
        for text in texts:
            reference.encode(text, add_special_tokens=False)
        theirs = {"cpu_s": time.process_time() - start, "wall_s": time.perf_counter() - wall}
        ours.stdin.write("\n")
        ours.stdin.flush()
        rows.append((json.loads(ours.stdout.readline()), theirs))
    ours.stdin.close()
    ours.wait()
    print(json.dumps({
        "benchmark": "tokenizer",
        "commit": output_of("git", "rev-parse", "--short", "HEAD"),
        "machine": processor(),
        "reference": f"tokenizers {tokenizers.__version__}",
        "runs": arguments.runs,
        "documents": checked["documents"],
        "megabytes": megabytes,
        "tokens": checked["tokens"],
        "results_equal": True,
        "moescope_mb_per_cpu_s": summary([megabytes / mine["cpu_s"] for mine, _ in rows]),
        "reference_mb_per_cpu_s": summary([megabytes / theirs["cpu_s"] for _, theirs in rows]),
        "ratio_cpu": summary([theirs["cpu_s"] / mine["cpu_s"] for mine, theirs in rows]),
        "ratio_wall": summary([theirs["wall_s"] / mine["wall_s"] for mine, theirs in rows]),
    }, indent=1))


main()
