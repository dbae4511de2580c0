#include "moescope/text/post_processor.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
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
void trim_offsets(DraftText& draft, bool add_prefix_space) {
  for (std::size_t i = 0; i < draft.ends.size(); ++i) {
    Offset& characters = draft.encoding.characters[i];
    Offset& bytes = draft.encoding.bytes[i];
    const Offset before = characters;
    std::int64_t leading = draft.ends[i].leading;
    const std::int64_t trailing = draft.ends[i].trailing;
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
  void apply(DraftText& draft, bool) const override {
    if (trim_offsets_) trim_offsets(draft, add_prefix_space_);
  }

 private:
  bool add_prefix_space_, trim_offsets_;
};

// Special tokens cover nothing: (0, 0).
void add_special(const std::vector<std::int32_t>& ids, const std::vector<WhiteSpaceEnds>& ends, DraftText& out) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out.encoding.ids.push_back(ids[i]);
    out.encoding.characters.push_back({});
    out.encoding.bytes.push_back({});
    out.ends.push_back(ends[i]);
  }
}

void add_all(const DraftText& from, DraftText& out) {
  const auto append = [](const auto& source, auto& target) {
    target.insert(target.end(), source.begin(), source.end());
  };
  append(from.encoding.ids, out.encoding.ids);
  append(from.encoding.characters, out.encoding.characters);
  append(from.encoding.bytes, out.encoding.bytes);
  append(from.ends, out.ends);
}

// BertProcessing and RobertaProcessing: CLS text SEP. RoBERTa's trims offsets first.
class ClsSepPostProcessor : public PostProcessor {
 public:
  ClsSepPostProcessor(const JsonFields& fields, bool is_roberta)
      : trim_offsets_(is_roberta && fields.boolean("trim_offsets")),
        add_prefix_space_(is_roberta && fields.boolean("add_prefix_space")) {
    read(fields, "cls", cls_, cls_ends_);
    read(fields, "sep", sep_, sep_ends_);
  }

  void apply(DraftText& draft, bool add_special_tokens) const override {
    if (trim_offsets_) trim_offsets(draft, add_prefix_space_);
    if (!add_special_tokens) return;
    DraftText out{draft.text, {}, {}};
    add_special(cls_, cls_ends_, out);
    add_all(draft, out);
    add_special(sep_, sep_ends_, out);
    draft = std::move(out);
  }

 private:
  // ["[CLS]", 101]
  static void read(const JsonFields& fields, const char* key, std::vector<std::int32_t>& ids,
                   std::vector<WhiteSpaceEnds>& ends) {
    const nlohmann::json& pair = fields.array(key);
    if (pair.size() != 2 || !pair[0].is_string()) {
      throw input_error("{} is not a piece and its id", fields.place_of(key));
    }
    ids = {to_token_id(pair[1], [&] { return fields.place_of(key); })};
    ends = {white_space_ends_of(pair[0].get_ref<const std::string&>())};
  }

  bool trim_offsets_, add_prefix_space_;
  std::vector<std::int32_t> cls_, sep_;
  std::vector<WhiteSpaceEnds> cls_ends_, sep_ends_;
};

// Special tokens and the text in the order of the template for single texts (pairs are not encoded here).
class TemplatePostProcessor : public PostProcessor {
 public:
  explicit TemplatePostProcessor(const JsonFields& fields) {
    const JsonFields special(fields.required("special_tokens"), fields.place_of("special_tokens"));
    const nlohmann::json& single = fields.array("single");
    for (std::size_t i = 0; i < single.size(); ++i) {
      const JsonFields part(single[i], fmt::format("{}.single[{}]", fields.place(), i));
      if (const auto* sequence = part.optional("Sequence")) {
        const std::string id = JsonFields(*sequence, part.place_of("Sequence")).string("id");
        if (id != "A")
          throw input_error("{} puts sequence {} into the template of one", part.place(), io::quote_name(id));
        parts_.emplace_back();
      } else {
        const JsonFields token(part.required("SpecialToken"), part.place_of("SpecialToken"));
        parts_.push_back(read_special(special, token.string("id")));
      }
    }
  }

  void apply(DraftText& draft, bool add_special_tokens) const override {
    DraftText out{draft.text, {}, {}};
    for (const TemplatePiece& part : parts_) {
      if (part.is_text) {
        add_all(draft, out);
      } else if (add_special_tokens) {
        add_special(part.ids, part.ends, out);
      }
    }
    draft = std::move(out);
  }

 private:
  struct TemplatePiece {
    bool is_text = true;
    std::vector<std::int32_t> ids;
    std::vector<WhiteSpaceEnds> ends;
  };

  static TemplatePiece read_special(const JsonFields& special, const std::string& name) {
    const JsonFields token(special.required(name.c_str()), special.place_of(io::quote_name(name)));
    const nlohmann::json& ids = token.array("ids");
    const nlohmann::json& tokens = token.array("tokens");
    if (ids.size() != tokens.size()) throw input_error("{} has not as many ids as tokens", token.place());
    TemplatePiece part{false, {}, {}};
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!tokens[i].is_string()) throw input_error("{}.tokens[{}] is not a string", token.place(), i);
      part.ids.push_back(to_token_id(ids[i], [&] { return fmt::format("{}.ids[{}]", token.place(), i); }));
      part.ends.push_back(white_space_ends_of(tokens[i].get_ref<const std::string&>()));
    }
    return part;
  }

  std::vector<TemplatePiece> parts_;
};

class SequencePostProcessor : public PostProcessor {
 public:
  explicit SequencePostProcessor(const JsonFields& fields) {
    const nlohmann::json& list = fields.array("processors");
    for (std::size_t i = 0; i < list.size(); ++i) {
      processors_.push_back(make_post_processor(list[i], fmt::format("{}.processors[{}]", fields.place(), i)));
    }
  }
  void apply(DraftText& draft, bool add_special_tokens) const override {
    for (const auto& processor : processors_) processor->apply(draft, add_special_tokens);
  }

 private:
  std::vector<std::unique_ptr<PostProcessor>> processors_;
};

}  // namespace

WhiteSpaceEnds white_space_ends_of(std::string_view piece) {
  WhiteSpaceEnds ends;
  for (std::size_t i = 0; i < piece.size() && is_margin(decode_utf8(piece, i)); i += utf8_length(piece[i])) {
    ++ends.leading;
  }
  for (std::size_t i = piece.size(); i > 0;) {
    i = previous_character(piece, i);
    if (!is_margin(decode_utf8(piece, i))) break;
    ++ends.trailing;
  }
  return ends;
}

std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  if (type == "ByteLevel") return std::make_unique<ByteLevelPostProcessor>(fields);
  if (type == "BertProcessing") return std::make_unique<ClsSepPostProcessor>(fields, false);
  if (type == "RobertaProcessing") return std::make_unique<ClsSepPostProcessor>(fields, true);
  if (type == "TemplateProcessing") return std::make_unique<TemplatePostProcessor>(fields);
  if (type == "Sequence") return std::make_unique<SequencePostProcessor>(fields);
  throw input_error("{} is of the unknown type {}", place, io::quote_name(type));
}

}  // namespace moescope::text
