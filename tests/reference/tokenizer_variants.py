"""The tokenizers and texts of tests/fixtures/text/tokenizer_variants.json."""

TRAINING_TEXT = [
    "The quick brown fox jumps over the lazy dog. The dog sleeps; the fox doesn't. They'll see what they've done!",
    "In 2024 there were 1,234 foxes and 567 dogs (about 2.17 foxes per dog), i.e. more than in 1999.",
    "def count_words(text):\n    words = text.split()\n    return {word: words.count(word) for word in words}\n",
    "Der schnelle braune Fuchs springt \u00fcber den faulen Hund. Gr\u00fc\u00dfe aus M\u00fcnchen und K\u00f6ln!",
    "Le renard brun saute par-dessus le chien paresseux; o\u00f9 est l'\u00e9cole? \u00c7a va, no\u00ebl.",
    "\u0411\u044b\u0441\u0442\u0440\u0430\u044f \u043b\u0438\u0441\u0430 \u043f\u0440\u044b\u0433\u0430\u0435\u0442 \u0447\u0435\u0440\u0435\u0437 \u043b\u0435\u043d\u0438\u0432\u0443\u044e \u0441\u043e\u0431\u0430\u043a\u0443. \u041b\u0438\u0441\u0430 \u0438 \u0441\u043e\u0431\u0430\u043a\u0430.",
    "\u5feb\u901f\u7684\u68d5\u8272\u72d0\u72f8\u8df3\u8fc7\u61d2\u72d7\u3002 \u72d0\u72f8\u548c\u72d7\uff0c\u72d7\u548c\u72d0\u72f8\u3002",
    "\ube60\ub978 \uac08\uc0c9 \uc5ec\uc6b0\uac00 \uac8c\uc73c\ub978 \uac1c\ub97c \ub6f0\uc5b4\ub118\ub294\ub2e4. \uc5ec\uc6b0\uac00 \uac1c\ub97c",
    "   indented   text\twith\ttabs\r\nand lines\n\n\nthe end   ",
    "aaaa aaa aa a bbbb bbb ab abab ababab the the the of of and and to to in in is is",
] * 3

TEXTS = [
    "",
    " ",
    "a",
    "  ",
    "\n",
    "   \n\t ",
    "Hello world",
    " Hello  world ",
    "the fox and the dog",
    "The quick brown fox doesn't jump; they'll see, I'm sure we've done what he'd do'S 'S",
    "  leading and trailing   ",
    "line one\nline two\r\n\r\n  line three\n\n",
    "1,234.56 + 7e-8 = \u0661\u0662\u0663 \u00bd \u2460 \u2167",
    "x=y+z;/*c*/ if(a[i]!=b->c){return 'q\"';}",
    "caf\u00e9 cafe\u0301 \u00c5ngstr\u00f6m A\u030angstro\u0308m",
    "\u1e09\u0323 a\u0301\u0316\u0300 \u00e1\u0316 \u0344 \u0958 e\u0334\u0301",
    "\ufb01ne \ufb03 \u2460\u2461 \uff76\uff9e \u33a5 \u00b2 \u01c4 \ufdfa",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8 \uac00\u11a8",
    "\u5feb\u901f\u7684\u72d0\u72f8\u3002\u3000\u72d7\uff0c\u65e5\u672c\u8a9e\u30c6\u30b9\u30c8\u3002",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0391\u03a3 \u03a3 \u0130stanbul I\u0131 STRASSE \u1e9e \u017f",
    "\u0627\u0644\u0633\u0644\u0627\u0645 \u05e9\u05dc\u05d5\u05dd \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "emoji \U0001F600\U0001F3FD \U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F1E9\U0001F1EA \u2764\ufe0f",
    "a\u00a0b\u2003c\u3000d\u200be\u0085f\u180eg\u202fh\ufeffi",
    "zero\u0000byte \u0001\u001f\u007f\u0080",
    "\u0378 \u32ff \U0001E900\U0001E922 \U00011938 \U0002EBF0 \ua7cb \u1c89 \U00010D40",
    "\u0301combining first \u0301\u0316",
    "\u00e9 ",
    "  \u00e9  ",
    "\u00e9\u00e9   ",
    "<mask>",
    "a<mask>b <mask> c<mask> <mask>d",
    "say  <mask>  twice<mask>\t<mask>\u2003end",
    "<s>Hello</s> <|endoftext|>x <|endoftext|>\n[X][X] [x] NAME name Name name's \u00e9name",
    "Yesterday yesterday YESTERDAY yester day",
    "\u2581 \u2581\u2581a \u2581b",
    "<0x41> <0xZZ> <0x0A>",
    "a/b-c_d.e,f;g:h!i?j(k)l[m]n{o}p'q\"r\\s|t~u`v@w#x$y%z^a&b*c",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "abababababababababababababababababababababababababababababababababababababababababababababababababababababab bbb",
    "thethethethethethethethethethethethethethethethethethethefoxfoxfoxfoxfoxfoxdogdogdog\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9",
    "the-final--countdown---",
    "--the--",
    "12 345 6789 01234567890",
    "camelCaseAndSnake_case HTTPServer2Go \u00c9cole\u00c9t\u00e9",
    "\u0130 \u00df \u0149 \u1f80 \ufb13",
    "xXx Xx xx x X",
    "the fox \U0001F98A \u72d0\u72f8 jumps\u2026 \u2014 \u201cover\u201d \u2018it\u2019",
]

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = (
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
    " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)
DEEPSEEK_CJK = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BYTES_ONLY = BYTE_LEVEL | {"use_regex": False}
WHITESPACE = {"type": "Whitespace"}


def regex(expression):
    return {"Regex": expression}


def string(literal):
    return {"String": literal}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def strip(left=True, right=True):
    return {"type": "Strip", "strip_left": left, "strip_right": right}


def prepend(text):
    return {"type": "Prepend", "prepend": text}


def metaspace(**settings):
    return {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True} | settings


def sequence(key, *parts):
    return {"type": "Sequence", key: list(parts)}


def normalizers(*parts):
    return sequence("normalizers", *parts)


def pre_tokenizers(*parts):
    return sequence("pretokenizers", *parts)


def token(content, **settings):
    return {"content": content} | settings


def characters(**parts):
    return {"model": "characters"} | parts


def byte_level(**parts):
    return {"model": "bytes", "pre_tokenizer": BYTE_LEVEL, "decoder": BYTE_LEVEL} | parts


def llama(**parts):
    return {"model": "metaspace"} | parts


def named(kind):
    return {"type": kind}


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "end", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                       "end": {"id": "end", "ids": [2, 0], "tokens": ["</s>", "<unk>"]}},
}
TEMPLATE_TWICE = TEMPLATE | {"single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}},
                                        {"Sequence": {"id": "A", "type_id": 0}}]}
LLAMA_DECODER = sequence("decoders", replace(string("\u2581"), " "), named("ByteFallback"), named("Fuse"),
                         {"type": "Strip", "content": " ", "start": 1, "stop": 0})

VARIANTS = {
    "plain": characters(),
    "nfc": characters(normalizer=named("NFC")),
    "nfd": characters(normalizer=named("NFD")),
    "nfkc": characters(normalizer=named("NFKC")),
    "nfkd": characters(normalizer=named("NFKD")),
    "lowercase": characters(normalizer=named("Lowercase")),
    "strip": characters(normalizer=strip()),
    "strip_left": characters(normalizer=strip(right=False)),
    "strip_right": characters(normalizer=strip(left=False)),
    "prepend": characters(normalizer=prepend("x\u00e9")),
    "prepend_nothing": characters(normalizer=prepend("")),
    "replace_string": characters(normalizer=replace(string("the"), "THE\u00e9")),
    "replace_string_by_nothing": characters(normalizer=replace(string("o"), "")),
    "replace_adjacent": characters(normalizer=replace(string("a"), "bc")),
    "replace_regex": characters(normalizer=replace(regex(r"\s+"), " ")),
    "replace_regex_by_nothing": characters(normalizer=replace(regex(r"[^a-z ]"), "")),
    "replace_group": characters(normalizer=replace(regex(r"(t)(h)"), "$2$1")),
    "replace_empty_match": characters(normalizer=replace(regex(r"^"), ">")),
    "replace_boundary": characters(normalizer=replace(regex(r"\b"), "-")),
    "replace_newline": characters(normalizer=replace(string("\n"), " | ")),
    "nfkd_lowercase_strip": characters(normalizer=normalizers(named("NFKD"), named("Lowercase"), strip())),
    "strip_nfc": characters(normalizer=normalizers(strip(), named("NFC"))),
    "replace_chain": characters(normalizer=normalizers(replace(regex("[aeiou]"), ""), named("NFD"),
                                                       replace(regex(r"\p{M}+"), ""), named("NFC"))),
    "prepend_replace": characters(normalizer=normalizers(prepend("\u2581"), replace(string(" "), "\u2581"))),
    "double_nfkc": characters(normalizer=normalizers(named("NFD"), named("NFKC"), named("Lowercase"), named("NFKC"))),
    "empty_sequences": characters(normalizer=normalizers(), pre_tokenizer=pre_tokenizers()),
    "whitespace": characters(pre_tokenizer=WHITESPACE),
    "whitespace_split": characters(pre_tokenizer=named("WhitespaceSplit")),
    "digits": characters(pre_tokenizer={"type": "Digits", "individual_digits": False}),
    "digits_individual": characters(pre_tokenizer={"type": "Digits", "individual_digits": True}),
    "whitespace_digits": characters(pre_tokenizer=pre_tokenizers(WHITESPACE, {"type": "Digits", "individual_digits": True})),
    "metaspace_never": llama(pre_tokenizer=metaspace(prepend_scheme="never"), decoder=metaspace(prepend_scheme="never")),
    "metaspace_first": llama(pre_tokenizer=metaspace(prepend_scheme="first"), decoder=metaspace(prepend_scheme="first"),
                             added_tokens=[token("<s>", special=True), token("<mask>")]),
    "metaspace_always": llama(pre_tokenizer=metaspace(), decoder=metaspace(),
                              added_tokens=[token("<s>", special=True), token("<mask>")]),
    "metaspace_unsplit": llama(pre_tokenizer=metaspace(split=False), decoder=metaspace()),
    "metaspace_old": llama(pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True, "str_rep": "\u2581"},
                           decoder={"type": "Metaspace", "replacement": "\u2581", "add_prefix_space": True}),
    "metaspace_old_never": llama(pre_tokenizer={"type": "Metaspace", "replacement": "_", "add_prefix_space": False, "prepend_scheme": "never"}),
    "metaspace_digits": llama(pre_tokenizer=pre_tokenizers(metaspace(), {"type": "Digits", "individual_digits": True})),
    "llama": llama(normalizer=normalizers(prepend("\u2581"), replace(string(" "), "\u2581")), decoder=LLAMA_DECODER,
                   post_processor=TEMPLATE, added_tokens=[token("<unk>", special=True), token("<s>", special=True),
                                                          token("</s>", special=True)]),
    "llama_nfkc": llama(normalizer=named("NFKC"), pre_tokenizer=metaspace(prepend_scheme="first"), decoder=LLAMA_DECODER),
    "byte_fallback_partial": llama(without=["<0xE9>", "<0xC3>", "<0xF0>"]),
    "byte_fallback_unfused": llama(settings={"fuse_unk": False}, without=["<0xE9>", "<0xC3>", "<0xF0>"]),
    "byte_fallback_no_unk": llama(settings={"unk_token": None}, without=["<0xE9>", "<0xC3>", "<0xF0>"]),
    "fuse_unk": characters(settings={"fuse_unk": True}),
    "no_unk": characters(settings={"unk_token": None}),
    "no_unk_words": characters(settings={"unk_token": None}, pre_tokenizer=WHITESPACE),
    "dropout_zero": characters(settings={"dropout": 0.0}),
    "merges_as_strings": characters(merges="strings"),
    "ignore_merges": characters(settings={"ignore_merges": True}, pre_tokenizer=WHITESPACE),
    "prefix": {"model": "prefixed", "pre_tokenizer": WHITESPACE},
    "suffix": {"model": "suffixed", "pre_tokenizer": WHITESPACE, "decoder": {"type": "BPEDecoder", "suffix": "</w>"}},
    "prefix_and_suffix": {"model": "both", "pre_tokenizer": WHITESPACE, "decoder": {"type": "BPEDecoder", "suffix": "</w>"}},
    "clip": {"model": "suffixed", "normalizer": normalizers(named("NFC"), replace(regex(r"\s+"), " "), named("Lowercase")),
             "pre_tokenizer": pre_tokenizers(split(regex(CLIP), "Removed", True), BYTES_ONLY)},
    "byte_level": byte_level(),
    "byte_level_trimmed": byte_level(post_processor=BYTE_LEVEL),
    "byte_level_untrimmed": byte_level(post_processor=BYTE_LEVEL | {"trim_offsets": False}),
    "byte_level_prefix": byte_level(pre_tokenizer=BYTE_LEVEL | {"add_prefix_space": True},
                                    post_processor=BYTE_LEVEL | {"add_prefix_space": True}),
    "byte_level_prefix_tokens": byte_level(pre_tokenizer=BYTE_LEVEL | {"add_prefix_space": True},
                                           post_processor=BYTE_LEVEL | {"add_prefix_space": True},
                                           added_tokens=[token("<mask>", lstrip=True), token("[X]", special=True)]),
    "byte_level_no_regex": byte_level(pre_tokenizer=BYTES_ONLY, post_processor=BYTE_LEVEL),
    "byte_level_nfc": byte_level(normalizer=named("NFC"), post_processor=BYTE_LEVEL),
    "byte_level_nfkd": byte_level(normalizer=named("NFKD"), post_processor=BYTE_LEVEL),
    "byte_level_ignore_merges": byte_level(settings={"ignore_merges": True}),
    "byte_level_partial": byte_level(without=["\u00e3", "\u00f0"]),
    "byte_level_partial_unk": byte_level(without=["\u00e3", "\u00f0"], settings={"unk_token": "a"}),
    "byte_level_twice": byte_level(pre_tokenizer=pre_tokenizers(BYTE_LEVEL, BYTES_ONLY)),
    "byte_level_then_digits": byte_level(pre_tokenizer=pre_tokenizers(BYTE_LEVEL, {"type": "Digits", "individual_digits": True})),
    "byte_level_digits_first": byte_level(pre_tokenizer=pre_tokenizers({"type": "Digits", "individual_digits": True}, BYTE_LEVEL)),
    "byte_level_starcoder": byte_level(pre_tokenizer=pre_tokenizers({"type": "Digits", "individual_digits": True}, BYTE_LEVEL),
                                       post_processor=BYTE_LEVEL, added_tokens=[token("<|endoftext|>", special=True)]),
    "byte_level_llama3": byte_level(pre_tokenizer=pre_tokenizers(split(regex(LLAMA3)), BYTES_ONLY),
                                    settings={"ignore_merges": True}, post_processor=BYTE_LEVEL),
    "byte_level_qwen2": byte_level(normalizer=named("NFC"), pre_tokenizer=pre_tokenizers(split(regex(QWEN2)), BYTES_ONLY)),
    "byte_level_o200k": byte_level(pre_tokenizer=pre_tokenizers(split(regex(O200K), "Removed", True), BYTES_ONLY)),
    "byte_level_deepseek": byte_level(pre_tokenizer=pre_tokenizers(split(regex(r"\p{N}{1,3}")), split(regex(DEEPSEEK_CJK)),
                                                                   split(regex(DEEPSEEK)), BYTES_ONLY)),
    "roberta": byte_level(pre_tokenizer=BYTE_LEVEL | {"add_prefix_space": True},
                          post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                                          "trim_offsets": True, "add_prefix_space": True}),
    "roberta_untrimmed": byte_level(post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
                                                    "trim_offsets": False, "add_prefix_space": False}),
    "bert": characters(pre_tokenizer=WHITESPACE, post_processor={"type": "BertProcessing", "sep": ["[SEP]", 5], "cls": ["[CLS]", 6]}),
    "template": characters(pre_tokenizer=WHITESPACE, post_processor=TEMPLATE),
    "template_twice": characters(pre_tokenizer=WHITESPACE, post_processor=TEMPLATE_TWICE),
    "byte_level_then_template": byte_level(post_processor=sequence("processors", BYTE_LEVEL, TEMPLATE)),
    "template_then_byte_level": byte_level(post_processor=sequence("processors", TEMPLATE, BYTE_LEVEL)),
    "added": characters(added_tokens=[token("<mask>"), token("[X]", special=True), token("name"), token("the fox", normalized=False)]),
    "added_stripped": characters(added_tokens=[token("<mask>", lstrip=True, rstrip=True), token("[X]", lstrip=True, special=True),
                                               token("name", rstrip=True)]),
    "added_single_word": characters(added_tokens=[token("<mask>", single_word=True), token("name", single_word=True),
                                                  token("\u00e9", single_word=True), token("yesterday", single_word=True)]),
    "added_normalized": characters(normalizer=named("Lowercase"),
                                   added_tokens=[token("Yesterday", normalized=True), token("NAME", normalized=False),
                                                 token("[X]", normalized=True, special=True)]),
    "added_nfkc": characters(normalizer=normalizers(named("NFKC"), named("Lowercase")),
                             added_tokens=[token("\ufb01ne"), token("\u00c5ngstr\u00f6m"), token("A\u030a", normalized=False)]),
    "added_overlapping": characters(added_tokens=[token("ab"), token("abab"), token("aba", special=True), token("  "), token("    "),
                                                  token("\n\n")]),
    "added_strip_everything": characters(added_tokens=[token("<mask>", lstrip=True, rstrip=True, single_word=True)],
                                         normalizer=strip(), pre_tokenizer=WHITESPACE),
    "added_in_vocabulary": characters(added_tokens=[token("<unk>", special=True), token("the", special=True)], pre_tokenizer=WHITESPACE),
    "added_spaces_byte_level": byte_level(normalizer=named("NFC"), post_processor=BYTE_LEVEL,
                                          added_tokens=[token("  ", normalized=True), token("   "), token("\t\t"), token("|||IP|||"),
                                                        token("<|endoftext|>", special=True)]),
    "decoder_fuse": characters(decoder=named("Fuse")),
    "decoder_byte_fallback": llama(decoder=named("ByteFallback")),
    "decoder_replace": characters(decoder=replace(regex("[aeiou]"), "*")),
    "decoder_strip": characters(decoder={"type": "Strip", "content": "a", "start": 2, "stop": 1}),
    "decoder_sequence": llama(decoder=sequence("decoders", named("ByteFallback"), metaspace(), named("Fuse"))),
}

BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
for behavior in BEHAVIORS:
    VARIANTS[f"punctuation_{behavior}"] = characters(pre_tokenizer={"type": "Punctuation", "behavior": behavior})
    for invert in (False, True):
        suffix = behavior + ("_inverted" if invert else "")
        VARIANTS[f"split_string_{suffix}"] = characters(pre_tokenizer=split(string("-"), behavior, invert))
        VARIANTS[f"split_regex_{suffix}"] = characters(pre_tokenizer=split(regex(r"\s|[aeiou]"), behavior, invert))

EXPRESSIONS = {
    "words": r"\w+|[^\w\s]+",
    "word_boundary": r"\b",
    "no_word_boundary": r"\B",
    "line_ends": r"^|$",
    "digits": r"\d+",
    "not_digits": r"\D+",
    "hexadecimal": r"\h+",
    "not_spaces": r"\S+",
    "negated_property": r"\P{L}+",
    "caret_property": r"\p{^Lu}+",
    "class_of_negations": r"[\P{L}\d]+",
    "intersection": r"[a-z&&[^aeiou]]+",
    "nested_class": r"[a[0-9]\p{Lu}]+",
    "posix": r"[[:upper:]][[:lower:]]*|[[:digit:]]+|[[:punct:]]|[[:^alnum:]]",
    "posix_property": r"\p{Alnum}+|\p{Punct}",
    "scripts": r"\p{Han}+|\p{Cyrillic}+|\p{Latin}+|\p{Arabic}+",
    "any": r"(?m:.)",
    "dot": r".+",
    "grapheme_newline": r"\R",
    "not_newline": r"\N+",
    "ignore_case": r"(?i)the|k|[x-z]|\u00e9",
    "ignore_case_class": r"(?i)[^a-m]+",
    "ignore_case_property": r"(?i)\p{Lu}+",
    "ignore_case_branch": r"t(?i)h|f",
    "lookbehind": r"(?<=\s)\S|(?<!o)f",
    "lookahead": r"\w(?=\s)|o(?!x)",
    "lazy": r"\w+?\s",
    "possessive": r"\w++\s?+",
    "atomic": r"(?>a+)b|(?:ab)+",
    "interval": r"\w{2,3}|\d{,2}x",
    "stacked_interval": r"(?:ab){2}+|a{2}?|b{2,3}+",
    "stacked": r"(?:ab+)*c|e**",
    "backreference": r"(\w)\1",
    "named_group": r"(?<c>[a-z])\k<c>",
    "escapes": r"\x41|\x{e9}|\u72d0|\t|\n|\101|\e|\v|\/|\-|\q",
    "literal_bracket": r"[]a]|[-b]|[c-]",
    "comment": r"o(?#letter)x",
    "empty": r"",
    "empty_or": r"a|",
    "anchors": r"\A\w+|\w+\z|\s\Z",
    "keep": r"t\Kh",
    "surrogate_edge": r"[\u0000-\uffff]",
    "unassigned": r"\p{Cn}|\p{Co}|\p{Cc}",
    "symbols": r"[\p{S}\p{P}]+",
    "marks": r"\p{L}\p{M}*",
    "emoji": r"\p{Extended_Pictographic}",
    "block": r"\p{In_Cyrillic}+",
}
for name, expression in EXPRESSIONS.items():
    VARIANTS[f"expression_{name}"] = characters(pre_tokenizer=split(regex(expression)))
