#include "moescope/text/post_processor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

bool is_margin(char32_t c) { return c == U'\u0120' || is_white_space(c); }

// Moves a byte position in the given text over n characters, forward or back.
std::int64_t step(std::string_view text, std::int64_t byte, std::int64_t n_characters) {
  auto i = static_cast<std::size_t>(byte);
  for (; n_characters > 0 && i < text.size(); --n_characters) i += utf8_length(text[i]);
  for (; n_characters < 0 && i > 0; ++n_characters) i = previous_character(text, i);
  return static_cast<std::int64_t>(i);
}

// Takes white space off both ends of the offsets, as far as the token's string shows it.
void trim_offsets(DraftEncoding& draft, bool add_prefix_space) {
  for (std::size_t i = 0; i < draft.margins.size(); ++i) {
    Offset& characters = draft.encoding.characters[i];
    Offset& bytes = draft.encoding.bytes[i];
    const Offset before = characters;
    std::int64_t leading = draft.margins[i].leading;
    const std::int64_t trailing = draft.margins[i].trailing;
    // A single space at the very start is the one that add_prefix_space put there.
    if (leading == 1 && add_prefix_space && (i == 0 || characters.begin == 0)) leading = 0;
    if (leading > 0) characters.begin = std::min(characters.begin + leading, characters.end);
    if (trailing > 0 && characters.end >= trailing) {
      characters.end = std::max(characters.end - trailing, characters.begin);
    }
    bytes.begin = step(draft.text, bytes.begin, characters.begin - before.begin);
    bytes.end = step(draft.text, bytes.end, characters.end - before.end);
  }
}

class ByteLevelPostProcessor : public PostProcessor {
 public:
  explicit ByteLevelPostProcessor(const JsonFields& fields)
      : add_prefix_space_(fields.boolean("add_prefix_space")), trim_offsets_(fields.boolean("trim_offsets")) {
    fields.boolean("use_regex", true);
  }
  void apply(DraftEncoding& draft, bool) const override {
    if (trim_offsets_) trim_offsets(draft, add_prefix_space_);
  }

 private:
  bool add_prefix_space_, trim_offsets_;
};

}  // namespace

Margins margins_of(std::string_view piece) {
  Margins margins;
  for (std::size_t i = 0; i < piece.size() && is_margin(decode_utf8(piece, i)); i += utf8_length(piece[i])) {
    ++margins.leading;
  }
  for (std::size_t i = piece.size(); i > 0;) {
    i = previous_character(piece, i);
    if (!is_margin(decode_utf8(piece, i))) break;
    ++margins.trailing;
  }
  return margins;
}

std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevelPostProcessor>(fields);
  throw input_error("{} is of the unknown type '{}'", place, type);
}

}  // namespace moescope::text
