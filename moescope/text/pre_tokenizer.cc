#include "moescope/text/pre_tokenizer.h"

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

void push_part(const Split& split, std::size_t begin, std::size_t end, std::vector<Split>& out) {
  out.push_back({split.text, split.begin + begin, split.begin + end});
}

Split whole(const AlignedText& text) { return {&text, 0, text.text().size()}; }

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(const JsonFields& fields, bool keep_bytes)
      : add_prefix_space_(fields.boolean("add_prefix_space")),
        use_regex_(fields.boolean("use_regex", true)),
        keep_bytes_(keep_bytes) {
    fields.boolean("trim_offsets");  // means something to the post-processor only
  }

  void apply(PreTokenized& text) const override {
    text.replace_splits([&](const Split& given, std::vector<Split>& out) {
      Split split = given;
      if (add_prefix_space_ && !split.view().starts_with(' ')) {
        AlignedText& copy = text.copy_of(split);
        copy.prepend(" ");
        split = whole(copy);
      }
      const std::string_view view = split.view();
      for (std::size_t begin = 0; begin < view.size();) {
        const std::size_t end = use_regex_ ? next_gpt2_word(view, begin) : view.size();
        push_part(split, begin, end, out);
        begin = end;
      }
    });
    text.replace_splits([&](const Split& given, std::vector<Split>& out) {
      Split split = given;
      if (keep_bytes_) {
        split.is_bytes = true;
      } else {
        AlignedText& copy = text.copy_of(split);
        write_characters(copy);
        split = whole(copy);
      }
      out.push_back(split);
    });
  }

 private:
  static void write_characters(AlignedText& text) {
    std::vector<ChangedCharacter> characters;
    for (const char byte : text.text()) {
      characters.push_back({byte_character(static_cast<std::uint8_t>(byte)), is_continuation(byte) ? 1 : 0});
    }
    text.change_all(characters, 0);
  }

  bool add_prefix_space_, use_regex_, keep_bytes_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& place,
                                                 bool may_keep_bytes) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevelPreTokenizer>(fields, may_keep_bytes);
  throw input_error("{} is of the unknown type '{}'", place, type);
}

}  // namespace moescope::text
