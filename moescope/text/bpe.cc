#include "moescope/text/bpe.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <queue>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/io/quote.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/unicode.h"
#include "moescope/text/word_cache.h"

namespace moescope::text {
namespace {

constexpr std::size_t kShortWord = 48;  // symbols; above it the quadratic merge loses to the queue

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(std::size_t n_merges) {
  std::size_t n_slots = 16;
  while (n_slots < 2 * n_merges) n_slots *= 2;
  slots_.resize(n_slots);
}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = mix64(key) & mask;
  while (slots_[i].key != key && slots_[i].key != Slot{}.key) i = (i + 1) & mask;
  return i;
}

void MergeTable::put(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t key = pair_key(left, right);
  slots_[slot_of(key)] = {key, merge};
}

Merge MergeTable::find(std::int32_t left, std::int32_t right) const {
  return slots_[slot_of(pair_key(left, right))].merge;
}

BpeModel::BpeModel(const nlohmann::json& model) {
  const JsonFields fields(model, "model");
  if (const auto dropout = fields.optional_number("dropout"); dropout && *dropout != 0) {
    throw input_error("model.dropout is {}: tokens would be random", *dropout).hint("set dropout to null");
  }
  if (const auto prefix = fields.optional_string("continuing_subword_prefix")) {
    has_prefix_ = true;
    prefix_ = *prefix;
  }
  if (const auto suffix = fields.optional_string("end_of_word_suffix")) {
    has_suffix_ = true;
    suffix_ = *suffix;
  }
  fuse_unknown_ = fields.boolean("fuse_unk", false);
  byte_fallback_ = fields.boolean("byte_fallback", false);
  ignore_merges_ = fields.boolean("ignore_merges", false);
  read_vocabulary(fields.required("vocab"));
  read_merges(fields.required("merges"));
  if (const auto unknown = fields.optional_string("unk_token")) {
    has_unknown_ = true;
    unknown_id_ = find(*unknown);
  }
  find_alphabets();
}

BpeModel::~BpeModel() = default;

std::optional<std::int32_t> BpeModel::find(std::string_view piece) const {
  const auto found = pieces_.find(piece);
  if (found == pieces_.end()) return std::nullopt;
  return found->second;
}

void BpeModel::read_vocabulary(const nlohmann::json& vocab) {
  if (!vocab.is_object()) throw input_error("model.vocab is not an object");
  pieces_.reserve(vocab.size());
  std::unordered_map<std::int32_t, const std::string*> owners;
  for (const auto& [piece, id] : vocab.items()) {
    const std::int32_t value =
        to_token_id(id, [&piece = piece] { return fmt::format("model.vocab[{}]", io::quote_name(piece)); });
    const auto [owner, is_new] = owners.emplace(value, &piece);
    if (!is_new)
      throw input_error("model.vocab gives id {} to both {} and another piece", value, io::quote_name(piece));
    pieces_.emplace(piece, value);
  }
}

void BpeModel::read_merges(const nlohmann::json& merges) {
  if (!merges.is_array()) throw input_error("model.merges is not an array");
  merges_ = MergeTable(merges.size());
  const auto id_of = [this](const std::string& piece, std::size_t i) {
    if (const auto id = find(piece)) return *id;
    throw input_error("model.merges[{}] needs the piece {}, which model.vocab does not have", i, io::quote_name(piece));
  };
  std::string left, right;
  std::uint32_t rank = 0;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const nlohmann::json& merge = merges[i];
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      if (text.starts_with("#version")) continue;
      const std::size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
        throw input_error("model.merges[{}] is not two pieces with a space between: {}", i, io::quote_name(text));
      }
      left = text.substr(0, space), right = text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
    } else {
      throw input_error("model.merges[{}] is neither \"LEFT RIGHT\" nor [\"LEFT\", \"RIGHT\"]", i);
    }
    const std::int32_t left_id = id_of(left, i), right_id = id_of(right, i);
    if (right.size() < prefix_.size())
      throw input_error("model.merges[{}]: {} lacks the subword prefix", i, io::quote_name(right));
    merges_.put(left_id, right_id, {rank++, id_of(left + right.substr(prefix_.size()), i)});
  }
}

void BpeModel::find_alphabets() {
  has_byte_alphabet_ = !has_prefix_ && !has_suffix_;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string piece;
    append_utf8(byte_character(static_cast<std::uint8_t>(byte)), piece);
    const auto id = find(piece);
    byte_ids_[byte] = id.value_or(-1);
    const bool is_in_utf8 = byte != 0xC0 && byte != 0xC1 && byte < 0xF5;
    has_byte_alphabet_ = has_byte_alphabet_ && (id || !is_in_utf8);
    fallback_ids_[byte] = find(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
  if (!has_byte_alphabet_ || !ignore_merges_) return;
  for (const auto& [piece, id] : pieces_) {
    if (const auto raw = from_byte_characters(piece)) raw_pieces_.emplace(*raw, id);
  }
}

BpeModel::Scratch::Scratch(const BpeModel& model) : model_(model) {
  const std::lock_guard lock(model.caches_mutex_);
  if (model.caches_.empty()) {
    cache_ = std::make_unique<WordCache>();
  } else {
    cache_ = std::move(model.caches_.back());
    model.caches_.pop_back();
  }
}

BpeModel::Scratch::~Scratch() {
  const std::lock_guard lock(model_.caches_mutex_);
  model_.caches_.push_back(std::move(cache_));
}

void BpeModel::tokenize(std::string_view word, bool is_bytes, Scratch& scratch, std::vector<BpeToken>& out) const {
  const bool is_cached = word.size() <= WordCache::kMaxWordBytes;
  const std::uint64_t hash = is_cached ? WordCache::hash(word, is_bytes) : 0;
  if (is_cached) {
    const auto tokens = scratch.cache_->find(word, hash);
    if (!tokens.empty()) {
      out.insert(out.end(), tokens.begin(), tokens.end());
      return;
    }
  }
  const std::size_t n_before = out.size();
  const PieceMap& whole = is_bytes ? raw_pieces_ : pieces_;
  const auto found = ignore_merges_ ? whole.find(word) : whole.end();
  if (found != whole.end()) {
    out.push_back({found->second, static_cast<std::uint32_t>(word.size())});
  } else {
    auto& symbols = scratch.symbols_;
    symbols.clear();
    is_bytes ? split_bytes(word, symbols) : split_characters(word, symbols);
    symbols.size() <= kShortWord ? merge_short(scratch) : merge_long(scratch);
    for (const Symbol& symbol : symbols) out.push_back({symbol.id, symbol.length});
  }
  if (is_cached && out.size() > n_before) scratch.cache_->put(word, hash, std::span(out).subspan(n_before));
}

void BpeModel::split_bytes(std::string_view word, std::vector<Symbol>& symbols) const {
  for (const char byte : word) symbols.push_back({byte_ids_[static_cast<std::uint8_t>(byte)], 1, 0, 0});
}

void BpeModel::split_characters(std::string_view word, std::vector<Symbol>& symbols) const {
  std::string padded;
  std::uint32_t unknown_length = 0;  // of an unknown token that waits to be added
  const auto flush = [&] {
    if (unknown_length > 0) symbols.push_back({*unknown_id_, unknown_length, 0, 0});
    unknown_length = 0;
  };
  for (std::size_t i = 0; i < word.size();) {
    const std::size_t length = utf8_length(word[i]);
    std::string_view character = word.substr(i, length);
    const bool is_prefixed = has_prefix_ && i > 0, is_suffixed = has_suffix_ && i + length == word.size();
    if (is_prefixed || is_suffixed) {
      padded.assign(is_prefixed ? prefix_ : "").append(character).append(is_suffixed ? suffix_ : "");
      character = padded;
    }
    i += length;
    if (const auto id = find(character)) {
      flush();
      symbols.push_back({*id, static_cast<std::uint32_t>(length), 0, 0});
    } else if (byte_fallback_ && add_fallback_bytes(character, symbols)) {
      // As in the reference, an unknown token that waits comes behind these bytes.
    } else if (has_unknown_) {
      if (!unknown_id_) throw input_error("model.unk_token is needed but model.vocab does not have it");
      if (!fuse_unknown_) flush();
      unknown_length += static_cast<std::uint32_t>(length);
    }
  }
  flush();
}

bool BpeModel::add_fallback_bytes(std::string_view character, std::vector<Symbol>& symbols) const {
  for (const char byte : character) {
    if (fallback_ids_[static_cast<std::uint8_t>(byte)] < 0) return false;
  }
  for (const char byte : character) symbols.push_back({fallback_ids_[static_cast<std::uint8_t>(byte)], 1, 0, 0});
  return true;
}

// Merges the pair of the lowest rank, the leftmost first, until none is left.
void BpeModel::merge_short(Scratch& scratch) const {
  auto& symbols = scratch.symbols_;
  auto& merges = scratch.merges_;
  const auto merge_at = [&](std::size_t i) { return merges_.find(symbols[i].id, symbols[i + 1].id); };
  merges.clear();
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) merges.push_back(merge_at(i));
  while (!merges.empty()) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < merges.size(); ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].id < 0) return;
    symbols[best].id = merges[best].id;
    symbols[best].length += symbols[best + 1].length;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    merges.erase(merges.begin() + static_cast<std::ptrdiff_t>(best));
    if (best > 0) merges[best - 1] = merge_at(best - 1);
    if (best < merges.size()) merges[best] = merge_at(best);
  }
}

// The same with a queue over a linked list: n log n for words of any length.
void BpeModel::merge_long(Scratch& scratch) const {
  struct Entry {
    std::uint32_t rank;
    std::int32_t position, left_id, right_id;
    bool operator<(const Entry& other) const {  // std::priority_queue takes the greatest: the lowest rank, leftmost
      return rank != other.rank ? other.rank < rank : other.position < position;
    }
  };
  auto& symbols = scratch.symbols_;
  const auto n = static_cast<std::int32_t>(symbols.size());
  const auto at = [&](std::int32_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  std::priority_queue<Entry> queue;
  const auto push = [&](std::int32_t i) {
    if (i < 0 || at(i).next < 0) return;
    const Merge merge = merges_.find(at(i).id, at(at(i).next).id);
    if (merge.id >= 0) queue.push({merge.rank, i, at(i).id, at(at(i).next).id});
  };
  for (std::int32_t i = 0; i < n; ++i) at(i).previous = i - 1, at(i).next = i + 1 < n ? i + 1 : -1;
  for (std::int32_t i = 0; i < n; ++i) push(i);
  while (!queue.empty()) {
    const Entry top = queue.top();
    queue.pop();
    Symbol& left = at(top.position);
    if (left.length == 0 || left.next < 0) continue;
    Symbol& right = at(left.next);
    if (left.id != top.left_id || right.id != top.right_id) continue;  // one of them has merged since
    left.id = merges_.find(left.id, right.id).id;
    left.length += right.length;
    right.length = 0;
    left.next = right.next;
    if (left.next >= 0) at(left.next).previous = top.position;
    push(left.previous);
    push(top.position);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
}

}  // namespace moescope::text
