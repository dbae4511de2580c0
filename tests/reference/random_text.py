"""Random Unicode strings that tests/text/random_text.h makes too: the same seed gives the same string in both.

SplitMix64 (Steele, Lea, Flood 2014) as in moescope/base/random.h. Kinds of characters are mixed so that words, spaces,
combining marks, composed and compatibility characters, and unassigned code points stand next to each other.
"""
MASK = (1 << 64) - 1

SNIPPETS = ["'ll", "'S", "  ", "\r\n", "<|endoftext|>", "<mask>", "[X]", "\u2581", "e\u0301", "1/2", "\u1100\u1161\u11a8"]
SPACES = [0x20, 0x20, 0x09, 0x0A, 0x0D, 0xA0, 0x2003, 0x3000, 0x200B, 0x85]
# First code point and number of code points of each kind.
BLOCKS = [
    (0x20, 95),  # ASCII
    (0x61, 26),  # small letters
    (0x41, 58),  # letters and brackets
    (0x30, 10),  # digits
    (0xA0, 0x260),  # Latin
    (0x300, 0x70),  # combining marks
    (0x370, 0x390),  # Greek to Arabic
    (0x900, 0x700),  # Indic to Lao
    (0x1100, 0x100),  # Hangul parts
    (0xAC00, 11172),  # Hangul syllables
    (0x1D00, 0x300),  # phonetic and composed Latin
    (0x2000, 0x400),  # punctuation and symbols
    (0x3000, 0x6000),  # East Asia
    (0xF900, 0x600),  # compatibility forms
    (0x1F300, 0x700),  # pictures
    (0x10000, 0x10000),  # the second plane
]


class Random:
    def __init__(self, seed):
        self.state = seed & MASK

    def next(self):
        x = (self.state + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return x ^ (x >> 31)

    def below(self, n):
        return (self.next() * n) >> 64


def random_text(seed):
    random = Random(seed)
    out = []
    for _ in range(random.below(48)):
        kind = random.below(len(BLOCKS) + 6)
        if kind < len(BLOCKS):
            first, count = BLOCKS[kind]
            out.append(chr(first + random.below(count)))
        elif kind == len(BLOCKS):
            point = random.below(0x10F800)
            out.append(chr(point + 0x800 if point >= 0xD800 else point))
        elif kind == len(BLOCKS) + 1:
            out.append(SNIPPETS[random.below(len(SNIPPETS))])
        elif kind <= len(BLOCKS) + 3:
            out.append(chr(SPACES[random.below(len(SPACES))]))
        else:  # small letters again: words
            out.extend(chr(0x61 + random.below(26)) for _ in range(random.below(5)))
    return "".join(out)


class Hash:
    """FNV-1a over 64-bit words."""

    def __init__(self):
        self.value = 0xCBF29CE484222325

    def add(self, word):
        self.value = ((self.value ^ (word & MASK)) * 0x100000001B3) & MASK

    def add_encoding(self, ids, offsets):
        for token, (begin, end) in zip(ids, offsets):
            self.add(token)
            self.add(begin)
            self.add(end)

    def add_text(self, text):
        for byte in text.encode():
            self.add(byte)

    def hex(self):
        return f"{self.value:016x}"
