#include "moescope/text/pre_tokenizer.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/metaspace.h"
#include "moescope/text/pattern.h"
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
      cut(text, split, out);
    });
  }

 private:
  void cut(PreTokenized& text, const Split& split, std::vector<Split>& out) const {
    const std::string_view view = split.view();
    for (std::size_t begin = 0; begin < view.size();) {
      const std::size_t end = use_regex_ ? next_gpt2_word(view, begin) : view.size();
      push_part(split, begin, end, out);
      if (keep_bytes_) {
        out.back().is_bytes = true;
      } else {
        AlignedText& copy = text.copy_of(out.back());
        write_characters(copy);
        out.back() = whole(copy);
      }
      begin = end;
    }
  }

  static void write_characters(AlignedText& text) {
    std::vector<ChangedCharacter> characters;
    for (const char byte : text.text()) {
      characters.push_back({byte_character(static_cast<std::uint8_t>(byte)), is_continuation(byte) ? 1 : 0});
    }
    text.change_all(characters, 0);
  }

  bool add_prefix_space_, use_regex_, keep_bytes_;
};

// Split, Digits, Punctuation, WhitespaceSplit and Whitespace: a pattern, and what to do with its matches.
class PatternPreTokenizer : public PreTokenizer {
 public:
  PatternPreTokenizer(std::unique_ptr<Pattern> pattern, SplitBehavior behavior, bool is_inverted = false)
      : pattern_(std::move(pattern)), behavior_(behavior), is_inverted_(is_inverted) {}

  void apply(PreTokenized& text) const override {
    text.replace_splits([&](const Split& split, std::vector<Split>& out) {
      std::vector<PatternPart> parts = pattern_->parts(split.view());
      for (PatternPart& part : parts) part.is_match = part.is_match != is_inverted_;
      for (const PatternPart& part : split_parts(std::move(parts), behavior_)) {
        push_part(split, part.begin, part.end, out);
      }
    });
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  SplitBehavior behavior_;
  bool is_inverted_;
};

// \w+|[^\w\s]+ with Rust's \w.
class WhitespacePreTokenizer : public PreTokenizer {
 public:
  void apply(PreTokenized& text) const override {
    text.replace_splits([&](const Split& split, std::vector<Split>& out) {
      const std::string_view view = split.view();
      for (std::size_t begin = 0; begin < view.size();) {
        const Kind kind = kind_at(view, begin);
        std::size_t end = begin;
        while (end < view.size() && kind_at(view, end) == kind) end += utf8_length(view[end]);
        if (kind != Kind::kSpace) push_part(split, begin, end, out);
        begin = end;
      }
    });
  }

 private:
  enum class Kind { kSpace, kWord, kOther };
  static Kind kind_at(std::string_view text, std::size_t i) {
    const char32_t c = decode_utf8(text, i);
    return is_word_character(c) ? Kind::kWord : is_white_space(c) ? Kind::kSpace : Kind::kOther;
  }
};

class MetaspacePreTokenizer : public PreTokenizer {
 public:
  explicit MetaspacePreTokenizer(const JsonFields& fields)
      : options_(read_metaspace(fields)),
        space_(make_literal_pattern(" ")),
        replacement_(make_literal_pattern(options_.replacement)) {}

  void apply(PreTokenized& text) const override {
    text.replace_splits([&](const Split& given, std::vector<Split>& out) {
      AlignedText& copy = text.copy_of(given);
      copy.replace_matches(space_->parts(copy.text()), options_.replacement);
      if (!copy.text().starts_with(options_.replacement) && prepends_to(copy)) copy.prepend(options_.replacement);
      const Split split = whole(copy);
      if (!options_.split) {
        out.push_back(split);
        return;
      }
      for (const PatternPart& part : split_parts(replacement_->parts(split.view()), SplitBehavior::kMergedWithNext)) {
        push_part(split, part.begin, part.end, out);
      }
    });
  }

 private:
  bool prepends_to(const AlignedText& text) const {
    if (options_.scheme == PrependScheme::kFirst) return text.origin() == 0;
    return options_.scheme == PrependScheme::kAlways;
  }

  MetaspaceOptions options_;
  std::unique_ptr<Pattern> space_, replacement_;
};

class SequencePreTokenizer : public PreTokenizer {
 public:
  SequencePreTokenizer(const JsonFields& fields, bool may_keep_bytes) {
    const nlohmann::json& list = fields.array("pretokenizers");
    for (std::size_t i = 0; i < list.size(); ++i) {
      pre_tokenizers_.push_back(make_pre_tokenizer(list[i], fmt::format("{}.pretokenizers[{}]", fields.place(), i),
                                                   may_keep_bytes && i + 1 == list.size()));
    }
  }
  void apply(PreTokenized& text) const override {
    for (const auto& pre_tokenizer : pre_tokenizers_) pre_tokenizer->apply(text);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> pre_tokenizers_;
};

SplitBehavior read_behavior(const JsonFields& fields, const char* absent = nullptr) {
  const auto name = fields.optional_string("behavior");
  if (!name && absent != nullptr) return parse_split_behavior(absent, fields.place());
  return parse_split_behavior(fields.string("behavior"), fields.place_of("behavior"));
}

std::unique_ptr<PreTokenizer> make_split(const JsonFields& fields) {
  return std::make_unique<PatternPreTokenizer>(make_pattern(fields.required("pattern"), fields.place_of("pattern")),
                                               read_behavior(fields), fields.boolean("invert"));
}

std::unique_ptr<PreTokenizer> make_digits(const JsonFields& fields) {
  return std::make_unique<PatternPreTokenizer>(make_character_pattern(is_numeric), fields.boolean("individual_digits")
                                                                                       ? SplitBehavior::kIsolated
                                                                                       : SplitBehavior::kContiguous);
}

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& place,
                                                 bool may_keep_bytes) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevelPreTokenizer>(fields, may_keep_bytes);
  if (type == "Split") return make_split(fields);
  if (type == "Digits") return make_digits(fields);
  if (type == "Punctuation") {
    return std::make_unique<PatternPreTokenizer>(make_character_pattern(is_punctuation),
                                                 read_behavior(fields, "Isolated"));
  }
  if (type == "Whitespace") return std::make_unique<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit") {
    return std::make_unique<PatternPreTokenizer>(make_character_pattern(is_white_space), SplitBehavior::kRemoved);
  }
  if (type == "Metaspace") return std::make_unique<MetaspacePreTokenizer>(fields);
  if (type == "Sequence") return std::make_unique<SequencePreTokenizer>(fields, may_keep_bytes);
  throw input_error("{} is of the unknown type {}", place, io::quote_name(type));
}

}  // namespace moescope::text
