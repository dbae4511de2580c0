"""Writes the fixtures of tests/text with Hugging Face's tokenizers (results by it, compared with moescope's).

    python tests/reference/make_tokenizer_fixtures.py [--data ../shared/data] [--show VARIANT]

tests/fixtures/text/tokenizer_variants.json  every component of tokenizer.json in small tokenizers, on tricky texts
tests/fixtures/text/random_strings.json      10,000 random strings: a hash of ids and offsets each
tests/fixtures/text/corpus_olmo.json         the same for each document of the corpus, with OLMo's tokenizer
tests/fixtures/text/bpe_training.json        what training on made-up text gives
tests/fixtures/text/unicode.json             character classes and normal forms of all code points: a hash each
"""
import argparse
import base64
import json
import pathlib
import struct
import subprocess

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from random_text import Hash, random_text
from tokenizer_variants import TEXTS, TRAINING_TEXT, VARIANTS

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures" / "text"
N_RANDOM = 10_000
N_RANDOM_PER_VARIANT = 24
RANDOM_VARIANTS = ["byte_level", "byte_level_llama3", "nfc", "nfkd_lowercase_strip", "llama", "prefix_and_suffix"]


def trained(pre_tokenizer, vocab_size, normalizer=None, **settings):
    """The "model" object of a BPE trained on TRAINING_TEXT."""
    keys = ("continuing_subword_prefix", "end_of_word_suffix")
    tokenizer = Tokenizer(models.BPE(**{k: v for k, v in settings.items() if k in keys}))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(TRAINING_TEXT, trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, **settings))
    return json.loads(tokenizer.to_str())["model"]


def base_models(retrain):
    """Trained once: ids of prefixed and suffixed pieces differ from run to run."""
    if not retrain:
        return json.loads((FIXTURES / "tokenizer_variants.json").read_text())["models"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    fallback = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    found = {
        "bytes": trained(pre_tokenizers.ByteLevel(add_prefix_space=False), 420, initial_alphabet=alphabet),
        "characters": trained(pre_tokenizers.Whitespace(), 260, special_tokens=["<unk>"]),
        "metaspace": trained(pre_tokenizers.Metaspace(), 460, special_tokens=fallback),
        "prefixed": trained(pre_tokenizers.Whitespace(), 260, special_tokens=["<unk>"], continuing_subword_prefix="##"),
        "suffixed": trained(pre_tokenizers.Whitespace(), 260, special_tokens=["<unk>"], end_of_word_suffix="</w>"),
        "both": trained(pre_tokenizers.Whitespace(), 260, special_tokens=["<unk>"], continuing_subword_prefix="##",
                        end_of_word_suffix="</w>"),
    }
    found["characters"]["unk_token"] = found["prefixed"]["unk_token"] = found["suffixed"]["unk_token"] = "<unk>"
    found["both"]["unk_token"] = "<unk>"
    found["metaspace"].update(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    return found


def full_json(variant, bases):
    model = json.loads(json.dumps(bases[variant["model"]]))
    model.update(variant.get("settings", {}))
    for piece in variant.get("without", []):
        del model["vocab"][piece]
        model["merges"] = [pair for pair in model["merges"] if piece not in pair]
    if variant.get("merges") == "strings":
        model["merges"] = [" ".join(pair) for pair in model["merges"]]
    added = []
    next_id = len(model["vocab"])
    for token in variant.get("added_tokens", []):
        token = dict(single_word=False, lstrip=False, rstrip=False, normalized=not token.get("special", False),
                     special=False) | token
        if token["content"] in model["vocab"]:
            token["id"] = model["vocab"][token["content"]]
        else:
            token["id"], next_id = next_id, next_id + 1
        added.append(token)
    out = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added}
    for key in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        out[key] = variant.get(key)
    return out | {"model": model}


def results(tokenizer, text):
    """Ids and offsets, the same with special tokens, decoded, decoded without special tokens: 8 digits of a hash each;
    hyphens where the reference panics."""
    try:
        plain = tokenizer.encode(text, add_special_tokens=False)
        special = tokenizer.encode(text, add_special_tokens=True)
        decoded = [tokenizer.decode(special.ids, skip_special_tokens=skip) for skip in (False, True)]
    except BaseException as error:  # a panic is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return 32 * "-"
    out = []
    for encoding in (plain, special):
        digest = Hash()
        digest.add_encoding(encoding.ids, encoding.offsets)
        out.append(digest.hex()[8:])
    for text in decoded:
        digest = Hash()
        digest.add_text(text)
        out.append(digest.hex()[8:])
    return "".join(out)


def write(name, value):
    path = FIXTURES / name
    path.write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace('},{"name"', '},\n{"name"') + "\n")
    print(path, path.stat().st_size)


def write_variants(bases):
    texts = TEXTS + [random_text(1000 + i) for i in range(N_RANDOM_PER_VARIANT)]
    rows, n_panics = [], 0
    for name, variant in VARIANTS.items():
        full = full_json(variant, bases)
        tokenizer = Tokenizer.from_str(json.dumps(full))
        found = [results(tokenizer, text) for text in texts]
        n_panics += sum(r.startswith("-") for r in found)
        rows.append({"name": name, "model": variant["model"], "tokenizer": full | {"model": None},
                     "settings": variant.get("settings", {}), "merges": variant.get("merges", "pairs"),
                     "without": variant.get("without", []), "results": "".join(found)})
    write("tokenizer_variants.json", {"version": tokenizers.__version__, "texts": texts, "models": bases, "variants": rows})
    print(len(rows), "variants,", len(texts), "texts,", n_panics, "panics of the reference")


def random_hashes(tokenizer):
    """One byte string: the low 32 bits of the hash of each of the random strings."""
    out = bytearray()
    for i in range(N_RANDOM):
        encoding = tokenizer.encode(random_text(i), add_special_tokens=False)
        digest = Hash()
        digest.add_encoding(encoding.ids, encoding.offsets)
        out += struct.pack("<I", digest.value & 0xFFFFFFFF)
    return base64.b64encode(bytes(out)).decode()


def write_random(bases, olmo):
    found = {name: random_hashes(Tokenizer.from_str(json.dumps(full_json(VARIANTS[name], bases)))) for name in RANDOM_VARIANTS}
    write("random_strings.json", {"n": N_RANDOM, "olmo": random_hashes(olmo), "variants": found})


def write_corpus(olmo, corpus):
    lines = subprocess.run(["zstdcat", corpus], check=True, capture_output=True).stdout.decode().splitlines()
    digests, n_tokens = [], 0
    for line in lines:
        encoding = olmo.encode(json.loads(line)["text"], add_special_tokens=False)
        digest = Hash()
        digest.add_encoding(encoding.ids, encoding.offsets)
        digests.append(digest.hex())
        n_tokens += len(encoding.ids)
    write("corpus_olmo.json", {"n_tokens": n_tokens, "documents": digests})


def write_training():
    """Vocabulary and merges that training gives on made-up text and on random strings."""
    cases = []
    sets = [TRAINING_TEXT, [random_text(i) for i in range(3000)], ["abcabcabc aaaaaa aaaa bcabc abab"] * 3]
    for texts, vocab_size, min_count in [(0, 420, 2), (0, 330, 5), (1, 600, 2), (2, 275, 1)]:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_count, show_progress=False,
                                      special_tokens=["<|endoftext|>", "[X]"],
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(sets[texts], trainer)
        model = json.loads(tokenizer.to_str())["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].get)
        cases.append({"texts": texts, "vocab_size": vocab_size, "min_pair_count": min_count, "pieces": pieces[258:],
                      "merges": model["merges"]})
    write("bpe_training.json", {"training_text": TRAINING_TEXT, "cases": cases})


CLASSES = (
    r"\w \W \d \D \s \S \h \H . [\w] [^\w] \p{Word} \p{Alnum} \p{Alpha} \p{Blank} \p{Cntrl} \p{Digit} \p{Graph} \p{Lower} "
    r"\p{Print} \p{Punct} \p{Space} \p{Upper} \p{XDigit} \p{Any} \p{ASCII} \p{Assigned} [[:alnum:]] [[:punct:]] [[:graph:]] "
    r"[[:print:]] [[:^alpha:]] [[:lower:]] [[:word:]] \P{L} \p{^N} \p{Han} \p{Latin} \p{Greek} \p{Cyrillic} \p{Arabic} \p{Hebrew} "
    r"\p{Hiragana} \p{Katakana} \p{Hangul} \p{Thai} \p{Devanagari} \p{Common} [^\r\n\p{L}\p{N}] [^\s\p{L}\p{N}] (?i)[a-z] (?i)[^k] (?i)\p{Lu} "
    r"[\p{L}\p{M}] [\p{P}\p{S}] [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
).split() + [r"\p{%s}" % c for c in "L Ll Lu Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co Cn".split()]
ALL_CHARACTERS = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def write_unicode():
    classes, forms = {}, {}
    for expression in CLASSES:
        splitter = pre_tokenizers.Split(tokenizers.Regex(expression), "removed", invert=True)
        digest, count = Hash(), 0
        for start in range(0, len(ALL_CHARACTERS), 65536):
            for piece, _ in splitter.pre_tokenize_str(ALL_CHARACTERS[start : start + 65536]):
                for character in piece:
                    digest.add(ord(character))
                    count += 1
        classes[expression] = [count, digest.hex()]
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        normalizer, digest = getattr(normalizers, form)(), Hash()
        for character in ALL_CHARACTERS:
            digest.add_text(normalizer.normalize_str("a\u0323" + character + "\u0301"))
        forms[form] = digest.hex()
    write("unicode.json", {"classes": classes, "forms": forms})


def show(name, bases):
    tokenizer = Tokenizer.from_str(json.dumps(full_json(VARIANTS[name], bases)))
    for i, text in enumerate(TEXTS + [random_text(1000 + i) for i in range(N_RANDOM_PER_VARIANT)]):
        encoding = tokenizer.encode(text)
        print(i, ascii(text), list(zip(encoding.ids, encoding.offsets)), ascii(tokenizer.decode(encoding.ids, skip_special_tokens=False)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default=str(pathlib.Path(__file__).parents[3] / "shared" / "data"))
    parser.add_argument("--show")
    parser.add_argument("--retrain", action="store_true", help="train the base models anew (then write everything)")
    parser.add_argument("--only", help="variants, random, corpus, training or unicode")
    arguments = parser.parse_args()
    data = pathlib.Path(arguments.data)
    bases = base_models(arguments.retrain)
    if arguments.show:
        return show(arguments.show, bases)
    FIXTURES.mkdir(parents=True, exist_ok=True)
    if arguments.only in (None, "variants"):
        write_variants(bases)
    if arguments.only in (None, "training"):
        write_training()
    if arguments.only in (None, "unicode"):
        write_unicode()
    olmo = Tokenizer.from_file(str(data / "tokenizers" / "olmo-dolma-v1_5.tokenizer.json"))
    if arguments.only in (None, "random"):
        write_random(bases, olmo)
    if arguments.only in (None, "corpus"):
        write_corpus(olmo, data / "corpus" / "mixed.jsonl.zst")


main()
