"""Writes moescope/text/unicode_ranges.inc: the code points of the character classes that pre-tokenizers need.

They are asked from the regular expression engine (Oniguruma) inside Hugging Face's tokenizers, one class at a time, so
that pieces end at the same characters whatever Unicode version the C++ libraries of a machine know.

    python tests/reference/make_unicode_tables.py > moescope/text/unicode_ranges.inc
"""
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
import tokenizers

CHARACTERS = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
CLASSES = {"kLetterRanges": r"\p{L}", "kNumberRanges": r"\p{N}"}


def members(pattern):
    splitter = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = set()
    for start in range(0, len(CHARACTERS), 65536):
        for piece, _ in splitter.pre_tokenize_str(CHARACTERS[start : start + 65536]):
            found.update(map(ord, piece))
    return sorted(found)


def word_members():
    """Rust's \\w: a single_word token is not found where such a character touches it."""
    tokenizer = Tokenizer(models.BPE({"\u0002": 0}, []))
    tokenizer.add_tokens([AddedToken("\u0001", single_word=True, normalized=False)])
    tokenizer_found = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    return [ord(c) for c in CHARACTERS if not tokenizer_found("\u0001" + c)]


def ranges(points):
    result = []
    for point in points:
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result


def main():
    print(f"// Written by tests/reference/make_unicode_tables.py with tokenizers {tokenizers.__version__}; do not edit.")
    print("// clang-format off")
    classes = [(name, pattern, members(pattern)) for name, pattern in CLASSES.items()]
    classes.append(("kWordRanges", "\\w in Rust", word_members()))
    for name, pattern, points in classes:
        rows = [f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges(points)]
        print(f"constexpr CodePointRange {name}[] = {{  // {pattern}")
        for i in range(0, len(rows), 6):
            print("    " + ", ".join(rows[i : i + 6]) + ",")
        print("};")
    print("// clang-format on")


main()
