#include "moescope/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/json_values.h"
#include "moescope/io/quote.h"
#include "moescope/text/added_tokens.h"
#include "moescope/text/aligned_text.h"
#include "moescope/text/bpe.h"
#include "moescope/text/decoder.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/normalizer.h"
#include "moescope/text/post_processor.h"
#include "moescope/text/pre_tokenizer.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 512u << 20;
constexpr std::int32_t kMaxTokenId = 1 << 24;  // a table of this size is made
constexpr int kMaxJsonDepth = 512;             // components nest, and are made one inside another

// Counts characters up to a byte position. Positions mostly grow, so it walks on from the last one.
class CharacterCounter {
 public:
  explicit CharacterCounter(std::string_view text) : text_(text) {}

  std::int64_t at(std::size_t byte) {
    if (byte >= byte_) {
      count_ += count_code_points(text_.substr(byte_, byte - byte_));
    } else {
      count_ -= count_code_points(text_.substr(byte, byte_ - byte));
    }
    byte_ = byte;
    return static_cast<std::int64_t>(count_);
  }

 private:
  std::string_view text_;
  std::size_t byte_ = 0, count_ = 0;
};

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(const nlohmann::json& root);

  void make_tables();
  std::string normalized(std::string_view text) const;
  PreTokenized pre_tokenize(std::string_view text) const;
  void add_token(const Split& split, std::size_t begin, BpeToken token, CharacterCounter& counter,
                 DraftText& draft) const;

  std::unique_ptr<Normalizer> normalizer;
  std::unique_ptr<PreTokenizer> pre_tokenizer;
  std::unique_ptr<BpeModel> model;
  std::unique_ptr<AddedTokens> added;
  std::unique_ptr<PostProcessor> post_processor;
  std::unique_ptr<Decoder> decoder;

  std::vector<std::string> pieces;   // by id; added tokens included
  std::vector<WhiteSpaceEnds> ends;  // by id, of the model's pieces
  std::vector<bool> special;         // by id
  PieceMap added_ids;
  std::unordered_map<std::int32_t, std::string> normalized_content;  // of added tokens that normalizing changes
};

Tokenizer::Impl::Impl(const nlohmann::json& root) {
  const JsonFields fields(root, "tokenizer");
  const nlohmann::json& model_json = fields.required("model");
  const JsonFields model_fields(model_json, "model");
  // Old files leave the type of a BPE model out.
  if (const auto type = model_fields.optional_string("type"); type && *type != "BPE") {
    throw input_error("model is of the unknown type {}", io::quote_name(*type)).hint("only BPE models are read");
  }
  model = std::make_unique<BpeModel>(model_json);
  if (const auto* json = fields.optional("normalizer")) normalizer = make_normalizer(*json, "normalizer");
  if (const auto* json = fields.optional("pre_tokenizer")) {
    pre_tokenizer = make_pre_tokenizer(*json, "pre_tokenizer", model->has_byte_alphabet());
  }
  if (const auto* json = fields.optional("post_processor"))
    post_processor = make_post_processor(*json, "post_processor");
  if (const auto* json = fields.optional("decoder")) decoder = make_decoder(*json, "decoder");
  const auto* tokens = fields.optional("added_tokens");
  added = std::make_unique<AddedTokens>(tokens ? *tokens : nlohmann::json::array(), *model,
                                        [this](std::string_view text) { return normalized(text); });
  make_tables();
}

void Tokenizer::Impl::make_tables() {
  std::int32_t last = -1;
  for (const auto& [piece, id] : model->pieces()) last = std::max(last, id);
  for (const AddedToken& token : added->tokens()) last = std::max(last, token.id);
  if (last > kMaxTokenId) throw input_error("the largest id is {}, more than {}", last, kMaxTokenId);
  pieces.resize(static_cast<std::size_t>(last) + 1);
  ends.resize(pieces.size());
  special.resize(pieces.size());
  for (const auto& [piece, id] : model->pieces()) {
    pieces[static_cast<std::size_t>(id)] = piece;
    ends[static_cast<std::size_t>(id)] = white_space_ends_of(piece);
  }
  for (const AddedToken& token : added->tokens()) {
    pieces[static_cast<std::size_t>(token.id)] = token.content;
    special[static_cast<std::size_t>(token.id)] = token.special;
    added_ids.emplace(token.content, token.id);
    if (std::string content = token.normalized ? normalized(token.content) : token.content; content != token.content) {
      normalized_content.emplace(token.id, std::move(content));
    }
  }
}

std::string Tokenizer::Impl::normalized(std::string_view text) const {
  AlignedText aligned(text);
  if (normalizer) normalizer->apply(aligned);
  return std::string(aligned.text());
}

PreTokenized Tokenizer::Impl::pre_tokenize(std::string_view text) const {
  PreTokenized splits(text);
  added->extract(splits, false);
  if (normalizer) {
    splits.replace_splits([&](const Split& split, std::vector<Split>& out) {
      AlignedText& copy = splits.copy_of(split);
      normalizer->apply(copy);
      out.push_back({&copy, 0, copy.text().size()});
    });
  }
  added->extract(splits, true);
  if (pre_tokenizer) pre_tokenizer->apply(splits);
  return splits;
}

// The token covers bytes [begin, begin + length) of the split.
void Tokenizer::Impl::add_token(const Split& split, std::size_t begin, BpeToken token, CharacterCounter& counter,
                                DraftText& draft) const {
  const std::size_t end = begin + token.length;
  // A token can reach behind its word only by a byte fallback of a prefix or suffix; the reference then gives the
  // position in the word as it is.
  Span span{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  if (split.begin + end <= split.end && end > begin) {
    span = {split.text->span(split.begin + begin).begin, split.text->span(split.begin + end - 1).end};
  }
  draft.encoding.ids.push_back(token.id);
  draft.encoding.bytes.push_back({span.begin, span.end});
  if (span.begin < draft.text.size() && span.end <= draft.text.size()) {
    draft.encoding.characters.push_back({counter.at(span.begin), counter.at(span.end)});
  } else {
    draft.encoding.characters.push_back({span.begin, span.end});
  }
  if (post_processor) {
    draft.ends.push_back(split.added_token >= 0 ? white_space_ends_of(split.view())
                                                : ends[static_cast<std::size_t>(token.id)]);
  }
}

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& tokenizer_json) {
  const std::string place = tokenizer_json.string();
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(tokenizer_json, error);
  if (!error && size > kMaxFileBytes) throw input_error("{} bytes are too many for a tokenizer", size).at(place);
  const nlohmann::json root = io::read_json(tokenizer_json);
  try {
    return Tokenizer(std::make_unique<Impl>(root));
  } catch (const Error& problem) {
    throw problem.at(place);
  }
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& place) {
  const auto check_depth = [](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    if (depth > kMaxJsonDepth) throw input_error("is nested deeper than {} levels", kMaxJsonDepth);
    return true;
  };
  try {
    return Tokenizer(std::make_unique<Impl>(nlohmann::json::parse(json, check_depth)));
  } catch (const nlohmann::json::exception& error) {
    throw input_error("not JSON: {}", io::json_reason(error)).at(place);
  } catch (const Error& error) {
    throw error.at(place);
  }
}

EncodedText Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (text.size() > kMaxTextBytes) throw input_error("a text of {} bytes is too long to tokenize", text.size());
  if (const auto bad = find_invalid_utf8(text)) throw input_error("text is not UTF-8 at byte {}", *bad);
  const PreTokenized splits = impl_->pre_tokenize(text);
  BpeModel::Scratch scratch(*impl_->model);
  CharacterCounter counter(text);
  DraftText draft{text, {}, {}};
  std::vector<BpeToken> tokens;
  for (const Split& split : splits.splits()) {
    const std::string_view word = split.view();
    tokens.clear();
    if (split.added_token >= 0) {
      tokens.push_back({split.added_token, static_cast<std::uint32_t>(word.size())});
    } else {
      impl_->model->tokenize(word, split.is_bytes, scratch, tokens);
    }
    std::size_t begin = 0;
    for (const BpeToken& token : tokens) {
      impl_->add_token(split, begin, token, counter, draft);
      begin += token.length;
    }
  }
  if (impl_->post_processor) impl_->post_processor->apply(draft, add_special_tokens);
  return std::move(draft.encoding);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> pieces;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= vocab_size()) throw input_error("id {} is not in the vocabulary of {}", id, vocab_size());
    // The reference decodes an added token as the (normalized) text that it was found as, and skips it only if that
    // is the name of a special token.
    const auto found = impl_->normalized_content.find(id);
    const bool is_renamed = found != impl_->normalized_content.end();
    const std::string& text = is_renamed ? found->second : piece(id);
    const auto same_name = impl_->added_ids.find(text);
    const bool skips = same_name != impl_->added_ids.end() && is_special(same_name->second);
    if (skip_special_tokens && skips) continue;
    pieces.push_back(text);
  }
  const char* separator = impl_->decoder ? "" : " ";
  if (impl_->decoder) impl_->decoder->decode(pieces);
  return fmt::format("{}", fmt::join(pieces, separator));
}

std::int32_t Tokenizer::vocab_size() const { return static_cast<std::int32_t>(impl_->pieces.size()); }

const std::string& Tokenizer::piece(std::int32_t id) const {
  MOESCOPE_ASSERT(id >= 0 && id < vocab_size());
  return impl_->pieces[static_cast<std::size_t>(id)];
}

std::string Tokenizer::piece_bytes(std::int32_t id) const {
  return impl_->decoder ? impl_->decoder->piece_bytes(piece(id)) : piece(id);
}

bool Tokenizer::is_special(std::int32_t id) const {
  MOESCOPE_ASSERT(id >= 0 && id < vocab_size());
  return impl_->special[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> Tokenizer::id_of(std::string_view piece) const {
  const auto found = impl_->added_ids.find(piece);
  if (found != impl_->added_ids.end()) return found->second;
  return impl_->model->find(piece);
}

}  // namespace moescope::text
