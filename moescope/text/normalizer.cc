#include "moescope/text/normalizer.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/normal_form.h"
#include "moescope/text/pattern.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

class UnicodeNormalizer : public Normalizer {
 public:
  explicit UnicodeNormalizer(NormalForm form) : form_(form) {}
  void apply(AlignedText& text) const override { normalize(form_, text); }

 private:
  NormalForm form_;
};

class LowercaseNormalizer : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    const std::string_view view = text.text();
    std::vector<ChangedCharacter> characters;
    bool is_changed = false;
    for (std::size_t i = 0; i < view.size(); i += utf8_length(view[i])) {
      const char32_t c = decode_utf8(view, i);
      const LowercaseCharacter lower = lowercase(c);
      is_changed = is_changed || lower.first != c;
      characters.push_back({lower.first, 0});
      if (lower.second != 0) characters.push_back({lower.second, 1});
    }
    if (is_changed) text.change_all(characters, 0);
  }
};

class StripNormalizer : public Normalizer {
 public:
  explicit StripNormalizer(const JsonFields& fields)
      : left_(fields.boolean("strip_left")), right_(fields.boolean("strip_right")) {}

  void apply(AlignedText& text) const override {
    const std::string_view view = text.text();
    std::size_t begin = 0, end = view.size(), n_leading = 0;
    int n_trailing = 0;
    for (; left_ && begin < end && is_white_space(decode_utf8(view, begin)); ++n_leading) {
      begin += utf8_length(view[begin]);
    }
    for (; right_ && end > begin; ++n_trailing) {
      const std::size_t last = previous_character(view, end);
      if (!is_white_space(decode_utf8(view, last))) break;
      end = last;
    }
    if (n_leading == 0 && n_trailing == 0) return;
    std::vector<ChangedCharacter> characters;
    for (std::size_t i = begin; i < end; i += utf8_length(view[i])) characters.push_back({decode_utf8(view, i), 0});
    if (!characters.empty()) characters.back().change = -n_trailing;
    text.change_all(characters, n_leading);
  }

 private:
  bool left_, right_;
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(const JsonFields& fields) : prepended_(fields.string("prepend")) {}
  void apply(AlignedText& text) const override { text.prepend(prepended_); }

 private:
  std::string prepended_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  explicit ReplaceNormalizer(const JsonFields& fields)
      : pattern_(make_pattern(fields.required("pattern"), fields.place_of("pattern"))),
        content_(fields.string("content")) {}
  void apply(AlignedText& text) const override { text.replace_matches(pattern_->parts(text.text()), content_); }

 private:
  std::unique_ptr<Pattern> pattern_;
  std::string content_;
};

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(const JsonFields& fields) {
    const nlohmann::json& list = fields.array("normalizers");
    for (std::size_t i = 0; i < list.size(); ++i) {
      normalizers_.push_back(make_normalizer(list[i], fmt::format("{}.normalizers[{}]", fields.place(), i)));
    }
  }
  void apply(AlignedText& text) const override {
    for (const auto& normalizer : normalizers_) normalizer->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> normalizers_;
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "NFC") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfc);
  if (type == "NFD") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfd);
  if (type == "NFKC") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfkc);
  if (type == "NFKD") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfkd);
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "Strip") return std::make_unique<StripNormalizer>(fields);
  if (type == "Prepend") return std::make_unique<PrependNormalizer>(fields);
  if (type == "Replace") return std::make_unique<ReplaceNormalizer>(fields);
  if (type == "Sequence") return std::make_unique<SequenceNormalizer>(fields);
  throw input_error("{} is of the unknown type {}", place, io::quote_name(type));
}

}  // namespace moescope::text
