// The BPE model of tokenizer.json: vocabulary, merges in order of rank, and what happens to characters without a piece.
// Source: Sennrich et al. 2016; the details are those of Hugging Face's models/bpe (unknown tokens, byte fallback,
// prefixes and suffixes, ignore_merges). Non-goal: dropout (an error names it).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moescope::text {

struct BpeToken {
  std::int32_t id;
  std::uint32_t length;  // bytes of the word that it covers
};

// Looks up strings without building a std::string.
struct TransparentStringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using PieceMap = std::unordered_map<std::string, std::int32_t, TransparentStringHash, std::equal_to<>>;

struct Merge {
  std::uint32_t rank = 0xFFFFFFFFu;  // the lowest rank merges first; this one never
  std::int32_t id = -1;              // of the merged piece
};

// (left id, right id) -> Merge. Open addressing; immutable after filling.
class MergeTable {
 public:
  explicit MergeTable(std::size_t n_merges = 0);
  // At most n_merges times. A pair that is there already takes the new values, as in the reference.
  void put(std::int32_t left, std::int32_t right, Merge merge);
  // Merge{} if the pair does not merge.
  Merge find(std::int32_t left, std::int32_t right) const;

 private:
  struct Slot {
    std::uint64_t key = ~0ull;  // no pair of ids (they are not negative)
    Merge merge;
  };
  std::size_t slot_of(std::uint64_t key) const;
  std::vector<Slot> slots_;
};

class WordCache;

// Immutable after loading, except for caches of words, which one call owns at a time; safe to use from many threads.
class BpeModel {
 public:
  // `model` is the "model" object of tokenizer.json. Throws kInput that names what is wrong in it.
  explicit BpeModel(const nlohmann::json& model);
  ~BpeModel();

  // Working memory of one encode call; returns its cache to the model when it goes.
  class Scratch {
   public:
    explicit Scratch(const BpeModel& model);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

   private:
    friend class BpeModel;
    struct Symbol {
      std::int32_t id;
      std::uint32_t length;
      std::int32_t previous, next;
    };
    const BpeModel& model_;
    std::unique_ptr<WordCache> cache_;
    std::vector<Symbol> symbols_;
    std::vector<Merge> merges_;  // of each pair of neighbours
  };

  // Appends the tokens of one word. With `is_bytes` the word is raw bytes that stand for their byte_level.h characters
  // (only if has_byte_alphabet), and lengths count raw bytes.
  void tokenize(std::string_view word, bool is_bytes, Scratch& scratch, std::vector<BpeToken>& out) const;

  // Whether the character of each byte that valid UTF-8 can have (byte_level.h) is a piece, and no prefix or suffix
  // changes single characters.
  bool has_byte_alphabet() const { return has_byte_alphabet_; }

  const PieceMap& pieces() const { return pieces_; }
  std::optional<std::int32_t> find(std::string_view piece) const;

 private:
  using Symbol = Scratch::Symbol;

  void read_vocabulary(const nlohmann::json& vocab);
  void read_merges(const nlohmann::json& merges);
  void find_alphabets();
  void split_bytes(std::string_view word, std::vector<Symbol>& symbols) const;
  void split_characters(std::string_view word, std::vector<Symbol>& symbols) const;
  bool add_fallback_bytes(std::string_view character, std::vector<Symbol>& symbols) const;
  void merge_short(Scratch& scratch) const;
  void merge_long(Scratch& scratch) const;

  PieceMap pieces_;
  PieceMap raw_pieces_;  // by the bytes they stand for; only if needed
  MergeTable merges_;
  std::string prefix_, suffix_;
  bool has_prefix_ = false, has_suffix_ = false;
  std::optional<std::int32_t> unknown_id_;
  bool has_unknown_ = false;
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false, has_byte_alphabet_ = false;
  std::int32_t byte_ids_[256] = {};      // of the byte alphabet
  std::int32_t fallback_ids_[256] = {};  // of "<0x00>"...; -1 if none

  mutable std::mutex caches_mutex_;
  mutable std::vector<std::unique_ptr<WordCache>> caches_;  // those that no call owns at the moment
};

}  // namespace moescope::text
