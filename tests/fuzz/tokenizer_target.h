// What the fuzzer of tokenizer.json does with one input: make a tokenizer of it, let Errors pass (they are the right
// answer to bad input), encode and decode with what loads, and abort on anything else: another exception, offsets
// outside the text. tests/text/tokenizer_hostile_test.cc runs it over mutated tokenizers in the default tests.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "moescope/base/error.h"
#include "moescope/io/utf8.h"
#include "moescope/text/tokenizer.h"

namespace moescope::text::fuzz {

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

inline void use(const Tokenizer& tokenizer, std::string_view text) {
  const EncodedText encoding = tokenizer.encode(text, true);
  require(encoding.characters.size() == encoding.ids.size(), "not as many offsets as ids");
  require(encoding.bytes.size() == encoding.ids.size(), "not as many byte offsets as ids");
  bool is_known = true;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    require(0 <= encoding.characters[i].begin && 0 <= encoding.bytes[i].begin, "an offset before the text");
    is_known = is_known && encoding.ids[i] >= 0 && encoding.ids[i] < tokenizer.vocab_size();
  }
  if (is_known) require(io::is_utf8(tokenizer.decode(encoding.ids)), "decoded text that is not UTF-8");
  for (std::int32_t id = 0; id < tokenizer.vocab_size() && id < 300; ++id) tokenizer.piece_bytes(id);
}

inline void tokenizer(std::string_view bytes) {
  try {
    const Tokenizer loaded = Tokenizer::from_json(bytes, "fuzz");
    for (const std::string_view text : {"", "The quick <mask> fox's 12 dogs\r\n\n  [X]",
                                        "e\xCC\x81\xC3\xA9 \xED\x95\x9C\xE1\x84\x92 \xF0\x9F\xA6\x8A \xE2\x96\x81"}) {
      use(loaded, text);
    }
  } catch (const Error& error) {
    const std::string_view line = error.what();
    require(line.find('\n') == std::string_view::npos, "an error of several lines");
    require(io::is_utf8(line), "an error that is not UTF-8");
  }
}

}  // namespace moescope::text::fuzz
