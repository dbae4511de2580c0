#include "moescope/text/added_tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

AddedToken read_added_token(const nlohmann::json& json, std::size_t index) {
  const JsonFields fields(json, fmt::format("added_tokens[{}]", index));
  AddedToken token;
  token.id = fields.token_id("id");
  token.content = fields.string("content");
  token.single_word = fields.boolean("single_word", false);
  token.lstrip = fields.boolean("lstrip", false);
  token.rstrip = fields.boolean("rstrip", false);
  token.special = fields.boolean("special", false);
  token.normalized = fields.boolean("normalized", !token.special);
  return token;
}

bool touches_word(std::string_view text, std::size_t begin, std::size_t end) {
  return (begin > 0 && is_word_character(decode_utf8(text, previous_character(text, begin)))) ||
         (end < text.size() && is_word_character(decode_utf8(text, end)));
}

}  // namespace

void StringMatcher::add(std::string_view text, std::size_t value) {
  if (text.empty()) return;
  std::uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const auto& next = nodes_[node].next;
    const auto found = std::find_if(next.begin(), next.end(), [byte](const auto& edge) { return edge.first == byte; });
    if (found != next.end()) {
      node = found->second;
      continue;
    }
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    nodes_[node].next.emplace_back(byte, fresh);
    nodes_.emplace_back();
    if (node == 0) first_[byte] = fresh;
    node = fresh;
  }
  if (nodes_[node].value < 0) nodes_[node].value = static_cast<std::ptrdiff_t>(value);
}

bool StringMatcher::find(std::string_view text, std::size_t from, Match* match) const {
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    std::uint32_t node = first_[static_cast<unsigned char>(text[begin])];
    if (node == 0) continue;
    bool is_match = false;
    for (std::size_t i = begin + 1;; ++i) {
      if (nodes_[node].value >= 0) {
        *match = {begin, i, static_cast<std::size_t>(nodes_[node].value)};
        is_match = true;
      }
      if (i == text.size()) break;
      const auto& next = nodes_[node].next;
      const auto byte = static_cast<unsigned char>(text[i]);
      const auto edge = std::find_if(next.begin(), next.end(), [byte](const auto& e) { return e.first == byte; });
      if (edge == next.end()) break;
      node = edge->second;
    }
    if (is_match) return true;
  }
  return false;
}

AddedTokens::AddedTokens(const nlohmann::json& tokens, const BpeModel& model,
                         const std::function<std::string(std::string_view)>& normalize) {
  if (!tokens.is_array()) throw input_error("added_tokens is not an array");
  std::unordered_set<std::string> contents;
  auto next_id = static_cast<std::int32_t>(model.pieces().size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    AddedToken token = read_added_token(tokens[i], i);
    if (token.content.empty()) continue;  // cannot stand in any text
    if (!contents.insert(token.content).second)
      throw input_error("added_tokens names {} twice", io::quote_name(token.content));
    // The reference ignores the id in the file where it disagrees with this rule; a wrong id must not pass quietly.
    const auto in_model = model.find(token.content);
    const std::int32_t id = in_model ? *in_model : next_id;
    if (!in_model) ++next_id;
    if (in_model && *in_model >= next_id) next_id = *in_model + 1;
    if (token.id != id) {
      throw input_error("added_tokens gives {} the id {}, but {} {}", io::quote_name(token.content), token.id,
                        in_model ? "model.vocab says" : "the next free one is", id);
    }
    tokens_.push_back(std::move(token));
  }
  // Where two tokens look for one string, special tokens win, then the earlier one.
  for (const bool special : {true, false}) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const AddedToken& token = tokens_[i];
      if (token.special != special) continue;
      if (token.normalized) {
        normalized_.add(normalize(token.content), i);
        has_normalized_ = true;
      } else {
        given_.add(token.content, i);
        has_given_ = true;
      }
    }
  }
}

void AddedTokens::extract(PreTokenized& text, bool in_normalized) const {
  if (!(in_normalized ? has_normalized_ : has_given_)) return;
  const StringMatcher& matcher = in_normalized ? normalized_ : given_;
  text.replace_splits([&](const Split& split, std::vector<Split>& out) { cut(matcher, split, out); });
}

void AddedTokens::cut(const StringMatcher& matcher, const Split& split, std::vector<Split>& out) const {
  const std::string_view text = split.view();
  const auto add = [&](std::size_t begin, std::size_t end, std::int32_t id) {
    out.push_back({split.text, split.begin + begin, split.begin + std::max(begin, end), id});
  };
  std::size_t done = 0, from = 0;
  StringMatcher::Match match;
  while (matcher.find(text, from, &match)) {
    from = match.end;
    const AddedToken& token = tokens_[match.value];
    if (token.single_word && touches_word(text, match.begin, match.end)) continue;
    if (token.lstrip) {
      while (match.begin > done && is_white_space(decode_utf8(text, previous_character(text, match.begin)))) {
        match.begin = previous_character(text, match.begin);
      }
    }
    if (token.rstrip) {
      while (match.end < text.size() && is_white_space(decode_utf8(text, match.end))) {
        match.end += utf8_length(text[match.end]);
      }
    }
    if (done < match.begin) add(done, match.begin, -1);
    add(match.begin, match.end, token.id);
    done = match.end;
  }
  if (done < text.size()) add(done, text.size(), -1);
}

}  // namespace moescope::text
