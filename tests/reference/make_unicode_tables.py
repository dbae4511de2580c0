"""Writes moescope/text/unicode_ranges.inc: the character properties that tokenizing needs.

They are asked from Hugging Face's tokenizers themselves (its regular expression engines and Rust's character functions,
which follow different versions of Unicode), so that pieces end at the same characters whatever Unicode version the C++
libraries of a machine know.

    python tests/reference/make_unicode_tables.py > moescope/text/unicode_ranges.inc
"""
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

CHARACTERS = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
CATEGORIES = "Ll Lu Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co".split()
SCRIPTS = "Han Latin Greek Cyrillic Arabic Hebrew Hiragana Katakana Hangul Thai Devanagari Common Inherited".split()


def members(pattern):
    """The code points that a regular expression matches (Oniguruma)."""
    splitter = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = set()
    for start in range(0, len(CHARACTERS), 65536):
        for piece, _ in splitter.pre_tokenize_str(CHARACTERS[start : start + 65536]):
            found.update(map(ord, piece))
    return found


def isolated(pre_tokenizer):
    """The code points that a pre-tokenizer splits off from letters around them."""
    return {ord(c) for c in CHARACTERS if len(pre_tokenizer.pre_tokenize_str("a" + c + "a")) == 3}


def word_members():
    """Rust's \\w: a single_word token is not found where such a character touches it."""
    tokenizer = Tokenizer(models.BPE({"\u0002": 0}, []))
    tokenizer.add_tokens([AddedToken("\u0001", single_word=True, normalized=False)])
    return {ord(c) for c in CHARACTERS if not tokenizer.encode("\u0001" + c, add_special_tokens=False).ids}


def ranges(points):
    result = []
    for point in sorted(points):
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result


def write(declaration, rows, width=6):
    print(f"constexpr {declaration} = {{")
    for i in range(0, len(rows), width):
        print("    " + ", ".join(rows[i : i + width]) + ",")
    print("};")


def write_ranges(name, points):
    write(f"CodePointRange {name}[]", [f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges(points)])


def lowercase_runs():
    """(first, last, step, what to add) for characters whose lower case is another single character."""
    lower = normalizers.Lowercase()
    deltas = {}
    for c in CHARACTERS:
        mapped = lower.normalize_str(c)
        if len(mapped) == 1 and mapped != c:
            deltas[ord(c)] = ord(mapped) - ord(c)
        elif len(mapped) != 1:
            assert c == "\u0130" and mapped == "i\u0307", "only I with a dot becomes two characters"
    runs = []
    for point, delta in sorted(deltas.items()):
        last = runs[-1] if runs else None
        step = point - last[1] if last else 0
        if last and last[3] == delta and step in (1, 2) and (last[2] == step or last[0] == last[1]):
            last[1], last[2] = point, step
        else:
            runs.append([point, point, 1, delta])
    return runs


def newer():
    """Code points whose category is other than in Python's (older) Unicode."""
    rows = []
    for category in CATEGORIES:
        old = {p for p in map(ord, CHARACTERS) if unicodedata.category(chr(p)) == category}
        for first, last in ranges(members(r"\p{%s}" % category) - old):
            rows.append((first, last, category))
    return sorted(rows)


def main():
    print(f"// Written by tests/reference/make_unicode_tables.py with tokenizers {tokenizers.__version__}; do not edit.")
    print("// clang-format off")
    print("\n// \\p{L} and \\p{N} of Oniguruma.")
    write_ranges("kLetterRanges", members(r"\p{L}"))
    write_ranges("kNumberRanges", members(r"\p{N}"))
    print("\n// \\w of Rust's regular expressions.")
    write_ranges("kWordRanges", word_members())
    print("\n// What the pre-tokenizers Digits and Punctuation split off.")
    write_ranges("kDigitRanges", isolated(pre_tokenizers.Digits(individual_digits=True)))
    write_ranges("kPunctuationRanges", isolated(pre_tokenizers.Punctuation("isolated")))
    print("\n// Lower case: every `step`-th code point from first to last moves by `delta`.")
    write("LowercaseRun kLowercaseRuns[]", [f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}" for a, b, s, d in lowercase_runs()])
    print("\n// Alphabetic characters that are neither letters nor letter numbers.")
    write_ranges("kOtherAlphabetic", members(r"\p{Alpha}") - members(r"\p{L}") - members(r"\p{Nl}"))
    version = unicodedata.unidata_version
    print(f"\n// General categories and scripts of Oniguruma that Unicode {version} did not have.")
    rows = newer()
    write("CategoryRange kNewerCategories[]", [f'{{0x{a:X}, 0x{b:X}, "{c}"}}' for a, b, c in rows])
    fresh = {p for a, b, _ in rows for p in range(a, b + 1)}
    scripts = [(a, b, s) for s in SCRIPTS for a, b in ranges(members(r"\p{%s}" % s) & fresh)]
    write("CategoryRange kNewerScripts[]", [f'{{0x{a:X}, 0x{b:X}, "{s}"}}' for a, b, s in sorted(scripts)])
    print("// clang-format on")


main()
