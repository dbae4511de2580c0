#include "moescope/text/bpe_trainer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/io/quote.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

struct Pair {
  std::int32_t left, right;
  auto operator<=>(const Pair&) const = default;
};

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return mix64(static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.left)) << 32 |
                 static_cast<std::uint32_t>(pair.right));
  }
};

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct CountedWord {
  std::vector<std::int32_t> symbols;
  std::int64_t count;
};

// A pair with the words in which it may occur. Counts in the queue can be stale; a popped candidate is checked.
struct MergeCandidate {
  std::int64_t count;
  Pair pair;
  std::vector<std::int32_t> words;

  // std::priority_queue takes the greatest first: the highest count, then the lowest pair.
  bool operator<(const MergeCandidate& other) const {
    return count != other.count ? count < other.count : other.pair < pair;
  }
};

class Trainer {
 public:
  explicit Trainer(const BpeTrainerOptions& options) : options_(options) {
    for (const std::string& token : options.special_tokens) {
      if (find_invalid_utf8(token) || token.empty())
        throw input_error("special token {} is empty or not UTF-8", io::quote_name(token));
      if (!ids_.contains(token)) add_piece(token);
    }
    // The alphabet in the order of its characters, so that ids do not depend on the texts.
    std::vector<std::pair<char32_t, std::uint8_t>> alphabet;
    for (int byte = 0; byte < 256; ++byte) {
      alphabet.emplace_back(byte_character(static_cast<std::uint8_t>(byte)), static_cast<std::uint8_t>(byte));
    }
    std::sort(alphabet.begin(), alphabet.end());
    for (const auto& [character, byte] : alphabet) {
      std::string piece;
      append_utf8(character, piece);
      const auto found = ids_.find(piece);
      byte_ids_[byte] = found != ids_.end() ? found->second : add_piece(piece);
    }
    if (options.vocab_size < static_cast<std::int32_t>(pieces_.size())) {
      throw input_error("vocab_size {} is smaller than the {} special tokens and bytes", options.vocab_size,
                        pieces_.size());
    }
  }

  void count_words(std::string_view text) {
    if (const auto bad = find_invalid_utf8(text)) throw input_error("text is not UTF-8 at byte {}", *bad);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = next_gpt2_word(text, begin);
      const std::string_view word = text.substr(begin, end - begin);
      const auto found = word_counts_.find(word);
      if (found != word_counts_.end()) {
        ++found->second;
      } else {
        word_counts_.emplace(word, 1);
      }
      begin = end;
    }
  }

  void merge_all() {
    make_words();
    const auto wanted = static_cast<std::size_t>(options_.vocab_size);
    while (pieces_.size() < wanted && !queue_.empty()) {
      MergeCandidate best =
          std::move(const_cast<MergeCandidate&>(queue_.top()));  // popped at once: its order no longer matters
      queue_.pop();
      const std::int64_t count = pair_counts_.at(best.pair);
      if (best.count != count) {  // stale: other merges took some of its occurrences
        best.count = count;
        queue_.push(std::move(best));
        continue;
      }
      if (count < std::max<std::int64_t>(1, options_.min_pair_count)) break;
      apply(best);
    }
    if (pieces_.size() < wanted) {
      throw input_error("the texts give only {} pieces with pairs that occur at least {} times, not {}", pieces_.size(),
                        options_.min_pair_count, wanted)
          .hint("give more text or a smaller vocab_size");
    }
  }

  std::string to_json() const {
    nlohmann::ordered_json vocab = nlohmann::ordered_json::object();
    // The object's own sequence: operator[] would look through all keys before each insertion.
    auto& entries = vocab.get_ref<nlohmann::ordered_json::object_t&>();
    for (std::size_t id = 0; id < pieces_.size(); ++id) entries.emplace_back(pieces_[id], id);
    nlohmann::ordered_json merges = nlohmann::ordered_json::array();
    for (const Pair& pair : final_merges()) merges.push_back({piece(pair.left), piece(pair.right)});
    nlohmann::ordered_json added = nlohmann::ordered_json::array();
    for (const std::string& token : options_.special_tokens) {
      if (!added.empty() && added.back()["content"] == token) continue;
      added.push_back({{"id", ids_.at(token)},
                       {"content", token},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
    }
    const nlohmann::ordered_json byte_level = {
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
    return nlohmann::ordered_json{{"version", "1.0"},
                                  {"truncation", nullptr},
                                  {"padding", nullptr},
                                  {"added_tokens", std::move(added)},
                                  {"normalizer", nullptr},
                                  {"pre_tokenizer", byte_level},
                                  {"post_processor", nullptr},
                                  {"decoder", byte_level},
                                  {"model",
                                   {{"type", "BPE"},
                                    {"dropout", nullptr},
                                    {"unk_token", nullptr},
                                    {"continuing_subword_prefix", nullptr},
                                    {"end_of_word_suffix", nullptr},
                                    {"fuse_unk", false},
                                    {"byte_fallback", false},
                                    {"ignore_merges", false},
                                    {"vocab", std::move(vocab)},
                                    {"merges", std::move(merges)}}}}
        .dump(1);
  }

 private:
  const std::string& piece(std::int32_t id) const { return pieces_[static_cast<std::size_t>(id)]; }

  std::int32_t add_piece(const std::string& text) {
    const auto id = static_cast<std::int32_t>(pieces_.size());
    pieces_.push_back(text);
    ids_.emplace(text, id);
    return id;
  }

  void make_words() {
    words_.reserve(word_counts_.size());
    for (const auto& [text, count] : word_counts_) {
      CountedWord word{{}, count};
      for (const char byte : text) word.symbols.push_back(byte_ids_[static_cast<std::uint8_t>(byte)]);
      words_.push_back(std::move(word));
    }
    word_counts_.clear();
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const CountedWord& word = words_[w];
      for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
        const Pair pair{word.symbols[i], word.symbols[i + 1]};
        change(pair, word.count, w);
      }
    }
    queue_fresh();
  }

  // A pair gains (or loses) occurrences in word `w`; a gaining pair is queued by queue_fresh.
  void change(const Pair& pair, std::int64_t by, std::size_t w) {
    pair_counts_[pair] += by;
    if (by <= 0) return;
    auto& words = fresh_[pair];
    if (words.empty() || words.back() != static_cast<std::int32_t>(w)) words.push_back(static_cast<std::int32_t>(w));
  }

  void queue_fresh() {
    for (auto& [pair, words] : fresh_) {
      const std::int64_t count = pair_counts_.at(pair);
      if (count > 0) queue_.push({count, pair, std::move(words)});
    }
    fresh_.clear();
  }

  void apply(const MergeCandidate& best) {
    const std::string text = piece(best.pair.left) + piece(best.pair.right);
    const auto found = ids_.find(text);
    const std::int32_t id = found != ids_.end() ? found->second : add_piece(text);
    merges_.push_back(best.pair);
    for (const std::int32_t w : best.words) merge_in_word(static_cast<std::size_t>(w), best.pair, id);
    queue_fresh();
  }

  void merge_in_word(std::size_t w, const Pair& pair, std::int32_t id) {
    auto& symbols = words_[w].symbols;
    const std::int64_t count = words_[w].count;
    std::size_t out = 0;
    for (std::size_t in = 0; in < symbols.size();) {
      if (in + 1 >= symbols.size() || symbols[in] != pair.left || symbols[in + 1] != pair.right) {
        symbols[out++] = symbols[in++];
        continue;
      }
      if (out > 0) {
        change({symbols[out - 1], pair.left}, -count, w);
        change({symbols[out - 1], id}, count, w);
      }
      if (in + 2 < symbols.size()) {
        change({pair.right, symbols[in + 2]}, -count, w);
        change({id, symbols[in + 2]}, count, w);
      }
      symbols[out++] = id;
      in += 2;
    }
    symbols.resize(out);
  }

  // A pair can be merged twice (two ways to spell one piece); its last place counts, as in the reference.
  std::vector<Pair> final_merges() const {
    std::unordered_map<Pair, std::size_t, PairHash> last;
    for (std::size_t i = 0; i < merges_.size(); ++i) last[merges_[i]] = i;
    std::vector<Pair> out;
    for (std::size_t i = 0; i < merges_.size(); ++i) {
      if (last.at(merges_[i]) == i) out.push_back(merges_[i]);
    }
    return out;
  }

  const BpeTrainerOptions& options_;
  std::vector<std::string> pieces_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::int32_t byte_ids_[256] = {};
  std::unordered_map<std::string, std::int64_t, StringHash, std::equal_to<>> word_counts_;
  std::vector<CountedWord> words_;
  std::unordered_map<Pair, std::int64_t, PairHash> pair_counts_;
  std::unordered_map<Pair, std::vector<std::int32_t>, PairHash> fresh_;
  std::priority_queue<MergeCandidate> queue_;
  std::vector<Pair> merges_;
};

}  // namespace

std::string train_byte_level_bpe(const std::function<std::optional<std::string>()>& next_text,
                                 const BpeTrainerOptions& options) {
  Trainer trainer(options);
  while (const auto text = next_text()) trainer.count_words(*text);
  trainer.merge_all();
  return trainer.to_json();
}

}  // namespace moescope::text
