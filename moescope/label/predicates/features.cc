#include "moescope/label/predicates/features.h"

#include <algorithm>
#include <array>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/label/predicates/characters.h"
#include "moescope/label/predicates/piece_classes.h"
#include "moescope/label/predicates/text_state.h"

namespace moescope::label {

namespace {

constexpr std::array<std::uint32_t, 6> kLengths = {4, 5, 6, 7, 8, 10};
constexpr std::array<std::uint32_t, 4> kShortLengths = {1, 2, 3, 4};
constexpr std::array<std::uint32_t, 5> kFrequentRanks = {10, 30, 100, 300, 1000};
constexpr std::array<std::uint32_t, 4> kIndents = {1, 4, 8, 12};
constexpr std::array<std::uint32_t, 4> kLineLengths = {10, 30, 50, 80};
constexpr std::array<std::uint32_t, 3> kDepths = {1, 2, 3};
constexpr std::array<std::uint32_t, 4> kFewWords = {0, 1, 2, 4};
constexpr std::array<std::uint32_t, 3> kManyWords = {10, 20, 40};
constexpr std::array<std::uint32_t, 5> kRecentDistances = {1, 2, 8, 32, 128};
constexpr std::array<std::uint32_t, 6> kEarly = {1, 2, 4, 16, 64, 256};
constexpr std::array<std::uint32_t, 3> kDocumentStarts = {1, 8, 64};

std::uint32_t value_of(auto enumerator) { return static_cast<std::uint32_t>(enumerator); }

// A feature of a piece, whoever its owner.
struct PieceFeature {
  FeatureFamily family;
  std::uint32_t value;
};

class Extractor {
 public:
  Extractor(const TracedRun& run, const std::vector<bool>& in_explain, const TokenGroups& groups,
            const ConceptMarks& concepts)
      : run_(run), groups_(groups), concepts_(concepts) {
    rank_pieces(in_explain);
    piece_features_.resize(run.pieces.size());
    piece_done_.resize(run.pieces.size(), false);
    rows_.concept_names = concepts.names;
    rows_.row_begin.push_back(0);
  }

  FeatureRows run() {
    for (const Context& context : contexts_of(run_.tokens)) read_context(context);
    return std::move(rows_);
  }

 private:
  void rank_pieces(const std::vector<bool>& in_explain) {
    std::vector<std::int64_t> counts(run_.pieces.size(), 0);
    for (std::size_t t = 0; t < run_.tokens.size(); ++t) {
      if (in_explain[t]) ++counts[static_cast<std::size_t>(run_.tokens.token_id[t])];
    }
    std::vector<std::uint32_t> order(counts.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return counts[a] > counts[b]; });
    rank_.resize(counts.size());
    for (std::size_t i = 0; i < order.size(); ++i) rank_[order[i]] = static_cast<std::uint32_t>(i);
  }

  std::uint32_t string_value(std::string_view text) {
    const auto [found, added] =
        string_numbers_.try_emplace(std::string(text), static_cast<std::uint32_t>(rows_.strings.size()));
    if (added) rows_.strings.emplace_back(text);
    return found->second;
  }

  void add(FeatureOwner owner, FeatureFamily family, std::uint32_t value) {
    const FeatureKey key{owner, family, value};
    const auto [found, added] = numbers_.try_emplace(key.packed(), static_cast<std::uint32_t>(rows_.features.size()));
    if (added) rows_.features.push_back(key);
    rows_.row_items.push_back(found->second);
  }
  template <std::size_t n>
  void add_at_least(FeatureOwner owner, FeatureFamily family, const std::array<std::uint32_t, n>& steps,
                    std::int64_t x) {
    for (std::uint32_t step : steps) {
      if (x >= step) add(owner, family, step);
    }
  }
  template <std::size_t n>
  void add_at_most(FeatureOwner owner, FeatureFamily family, const std::array<std::uint32_t, n>& steps,
                   std::int64_t x) {
    for (std::uint32_t step : steps) {
      if (x <= step) add(owner, family, step);
    }
  }

  // Prefixes or suffixes of 1 to 4 characters, shorter than the word itself. Whole characters only.
  void add_ends(std::string_view word, FeatureFamily family, std::vector<PieceFeature>* features) {
    std::vector<std::size_t> starts;
    for (std::size_t at = 0; at < word.size();) {
      starts.push_back(at);
      at += static_cast<std::size_t>(code_point_at(word, at).n_bytes);
    }
    for (std::size_t n = 1; n <= 4 && n < starts.size(); ++n) {
      const std::string_view end =
          family == FeatureFamily::kPrefix ? word.substr(0, starts[n]) : word.substr(starts[starts.size() - n]);
      features->push_back({family, string_value(end)});
    }
  }

  void add_word_features(const std::string& word, std::vector<PieceFeature>* features) {
    features->push_back({FeatureFamily::kWord, string_value(word)});
    for (FunctionWord kind : function_words_of(word))
      features->push_back({FeatureFamily::kFunctionWord, value_of(kind)});
  }

  const std::vector<PieceFeature>& features_of_piece(std::int32_t token_id) {
    const auto id = static_cast<std::size_t>(token_id);
    std::vector<PieceFeature>& features = piece_features_[id];
    if (piece_done_[id]) return features;
    piece_done_[id] = true;
    const std::string& piece = run_.pieces[id];
    features.push_back({FeatureFamily::kPiece, static_cast<std::uint32_t>(id)});
    for (PieceClass c : classes_of(piece)) features.push_back({FeatureFamily::kClass, value_of(c)});
    const std::string word = to_lower(stripped(piece));
    if (!word.empty()) add_word_features(word, &features);
    for (const auto& level : groups_.of_piece) {
      if (level[id] >= 0) features.push_back({FeatureFamily::kGroup, static_cast<std::uint32_t>(level[id])});
    }
    std::uint32_t n_characters = 0;
    for (std::size_t at = 0; at < word.size(); ++n_characters) {
      at += static_cast<std::size_t>(code_point_at(word, at).n_bytes);
    }
    for (std::uint32_t n : kLengths) {
      if (n_characters >= n) features.push_back({FeatureFamily::kLength, n});
    }
    for (std::uint32_t n : kShortLengths) {
      if (n_characters <= n && n_characters > 0) features.push_back({FeatureFamily::kShort, n});
    }
    for (std::uint32_t rank : kFrequentRanks) {
      if (rank_[id] < rank) features.push_back({FeatureFamily::kFrequent, rank});
    }
    const bool letters = fine_class_of(piece) <= PieceClass::kNonLatin;
    if (letters) {
      add_ends(word, FeatureFamily::kSuffix, &features);
      add_ends(word, FeatureFamily::kPrefix, &features);
    }
    return features;
  }

  void read_context(const Context& context);
  void add_pieces(const Context& context, std::size_t t);
  void add_words(const Place& place, std::size_t t, bool continues);
  void add_place(const Place& place, bool continues);
  void add_word_so_far(const Place& after);
  void add_history(const Context& context, std::size_t t, const std::string& word_so_far);

  const TracedRun& run_;
  const TokenGroups& groups_;
  const ConceptMarks& concepts_;
  FeatureRows rows_;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
  std::unordered_map<std::string, std::uint32_t> string_numbers_;
  std::vector<std::vector<PieceFeature>> piece_features_;
  std::vector<bool> piece_done_;
  std::vector<std::uint32_t> rank_;  // by token id, 0: most frequent
  // Of the present context.
  std::unordered_map<std::int32_t, std::size_t> last_seen_;      // token id -> its last place
  std::unordered_map<std::uint64_t, std::size_t> pairs_seen_;    // (token before, token) -> place
  std::unordered_map<std::uint64_t, std::size_t> triples_seen_;  // hash of three tokens -> place
  std::unordered_map<std::string, std::size_t> words_seen_;
  int word_part_ = 0;
};

void Extractor::read_context(const Context& context) {
  last_seen_.clear();
  pairs_seen_.clear();
  triples_seen_.clear();
  words_seen_.clear();
  word_part_ = 0;
  const TracedDocument& document = run_.documents[static_cast<std::size_t>(context.doc_idx)];
  auto at = static_cast<std::size_t>(run_.tokens.byte_begin[context.begin]);
  TextState state(at == 0 || document.text[at - 1] == '\n');
  // Reads whole characters that end by `end`; a character cut by a token boundary is read with its last token.
  const auto read_until = [&](std::size_t end) {
    while (at < end) {
      const CodePoint c = code_point_at(document.text, at);
      if (at + static_cast<std::size_t>(c.n_bytes) > end) break;
      state.advance(c.value);
      at += static_cast<std::size_t>(c.n_bytes);
    }
  };
  const std::uint32_t domain = document.domain.empty() ? 0 : string_value(document.domain);
  for (std::size_t t = context.begin; t < context.end; ++t) {
    read_until(static_cast<std::size_t>(run_.tokens.byte_begin[t]));
    const Place before = state.place();
    const std::string_view text = run_.text_of(t);
    const bool letter_first = !text.empty() && is_letter(code_point_at(text, 0).value);
    const bool continues = letter_first && !before.word.empty();
    word_part_ = continues ? word_part_ + 1 : 1;
    add_pieces(context, t);
    add_words(before, t, continues);
    add_place(before, continues);
    read_until(static_cast<std::size_t>(run_.tokens.byte_end[t]));
    add_word_so_far(state.place());
    add_history(context, t, state.place().word);
    for (std::size_t c = 0; c < concepts_.marks.size(); ++c) {
      if (concepts_.marks[c].test(t))
        add(FeatureOwner::kConcept, FeatureFamily::kConcept, static_cast<std::uint32_t>(c));
    }
    if (!document.domain.empty()) add(FeatureOwner::kDomain, FeatureFamily::kDomain, domain);
    rows_.row_begin.push_back(rows_.row_items.size());
  }
}

void Extractor::add_pieces(const Context& context, std::size_t t) {
  for (const PieceFeature& feature : features_of_piece(run_.tokens.token_id[t])) {
    const bool ends = feature.family == FeatureFamily::kSuffix || feature.family == FeatureFamily::kPrefix;
    if (!ends) add(FeatureOwner::kToken, feature.family, feature.value);  // ends are those of the word so far
  }
  if (t > context.begin) {
    for (const PieceFeature& feature : features_of_piece(run_.tokens.token_id[t - 1])) {
      add(FeatureOwner::kBefore1, feature.family, feature.value);
    }
  }
  if (t > context.begin + 1) {
    for (const PieceFeature& feature : features_of_piece(run_.tokens.token_id[t - 2])) {
      const bool kept = feature.family <= FeatureFamily::kGroup;
      if (kept) add(FeatureOwner::kBefore2, feature.family, feature.value);
    }
    const std::string pair =
        std::to_string(run_.tokens.token_id[t - 2]) + " " + std::to_string(run_.tokens.token_id[t - 1]);
    add(FeatureOwner::kBefore1, FeatureFamily::kBigram, string_value(pair));
  }
}

void Extractor::add_words(const Place& place, std::size_t, bool continues) {
  const bool unfinished = !continues && !place.word.empty();
  const std::string& word1 = unfinished ? place.word : place.word1;
  const std::string& word2 = unfinished ? place.word1 : place.word2;
  if (!word1.empty()) {
    std::vector<PieceFeature> features;
    add_word_features(word1, &features);
    add_ends(word1, FeatureFamily::kSuffix, &features);
    for (const PieceFeature& feature : features) add(FeatureOwner::kWord1, feature.family, feature.value);
  }
  if (!word2.empty()) {
    std::vector<PieceFeature> features;
    add_word_features(word2, &features);
    for (const PieceFeature& feature : features) add(FeatureOwner::kWord2, feature.family, feature.value);
  }
}

void Extractor::add_place(const Place& place, bool continues) {
  const auto inside = [&](bool holds, Inside what) {
    if (holds) add(FeatureOwner::kPlace, FeatureFamily::kInside, value_of(what));
  };
  add(FeatureOwner::kToken, FeatureFamily::kStart, continues ? 0 : 1);
  if (word_part_ == 2) add(FeatureOwner::kToken, FeatureFamily::kStart, 2);
  if (word_part_ > 2) add(FeatureOwner::kToken, FeatureFamily::kStart, 3);
  inside(place.in_math, Inside::kMath);
  inside(place.in_display_math, Inside::kDisplayMath);
  inside(place.in_comment, Inside::kComment);
  inside(place.in_string, Inside::kString);
  inside(place.in_quotes, Inside::kQuotes);
  inside(place.in_url, Inside::kUrl);
  inside(place.in_number, Inside::kNumber);
  inside(place.in_tag, Inside::kTag);
  inside(place.in_call, Inside::kCall);
  const auto line = [&](bool holds, LinePart what) {
    if (holds) add(FeatureOwner::kPlace, FeatureFamily::kLine, value_of(what));
  };
  line(place.line_blank && place.line_known, LinePart::kStart);
  line(place.text_start, LinePart::kFirstOfText);
  line(place.after_blank_line && place.line_blank, LinePart::kAfterBlankLine);
  line(place.sentence_start, LinePart::kSentenceStart);
  line(place.space_before, LinePart::kAfterSpace);
  if (place.line_known) add_at_least(FeatureOwner::kPlace, FeatureFamily::kIndent, kIndents, place.indent);
  add_at_least(FeatureOwner::kPlace, FeatureFamily::kLineLength, kLineLengths, place.line_length);
  if (!place.line_first.empty()) add(FeatureOwner::kPlace, FeatureFamily::kLineFirst, string_value(place.line_first));
  if (place.bracket != 0)
    add(FeatureOwner::kPlace, FeatureFamily::kBracketKind, static_cast<std::uint32_t>(place.bracket));
  add_at_least(FeatureOwner::kPlace, FeatureFamily::kDepth, kDepths, place.depth);
  if (!place.argument.empty()) add(FeatureOwner::kPlace, FeatureFamily::kArgument, string_value(place.argument));
  if (!place.environment.empty())
    add(FeatureOwner::kPlace, FeatureFamily::kEnvironment, string_value(place.environment));
  add(FeatureOwner::kPlace, FeatureFamily::kTextKind, value_of(place.kind));
  if (place.last_mark != 0 && !is_letter(place.last_mark) && !is_digit(place.last_mark)) {
    add(FeatureOwner::kPlace, FeatureFamily::kLastMark, place.last_mark);
  }
  add_at_most(FeatureOwner::kPlace, FeatureFamily::kSentenceWords, kFewWords, place.n_sentence_words);
  add_at_least(FeatureOwner::kPlace, FeatureFamily::kLongSentence, kManyWords, place.n_sentence_words);
}

void Extractor::add_word_so_far(const Place& after) {
  if (after.word.empty()) return;
  add(FeatureOwner::kPlace, FeatureFamily::kWordSoFar, string_value(after.word));
  std::vector<PieceFeature> features;
  add_ends(after.word, FeatureFamily::kSuffix, &features);
  add_ends(after.word, FeatureFamily::kPrefix, &features);
  for (const PieceFeature& feature : features) add(FeatureOwner::kToken, feature.family, feature.value);
}

void Extractor::add_history(const Context& context, std::size_t t, const std::string& word_so_far) {
  const auto seen = [&](Seen what) { add(FeatureOwner::kHistory, FeatureFamily::kSeen, value_of(what)); };
  const auto& ids = run_.tokens.token_id;
  const auto key = [](std::int32_t a, std::int32_t b) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32) | static_cast<std::uint32_t>(b);
  };
  if (t > context.begin) {
    const auto previous = last_seen_.find(ids[t - 1]);  // does not hold place t - 1 yet
    if (previous != last_seen_.end()) {
      seen(Seen::kPreviousSeen);
      if (ids[previous->second + 1] == ids[t]) seen(Seen::kCopy);
    }
    last_seen_[ids[t - 1]] = t - 1;
    if (!pairs_seen_.try_emplace(key(ids[t - 1], ids[t]), t).second) seen(Seen::kPair);
  }
  if (t > context.begin + 1) {
    const std::uint64_t triple =
        mix64(key(ids[t - 1], ids[t]) ^ mix64(static_cast<std::uint64_t>(static_cast<std::uint32_t>(ids[t - 2]))));
    if (!triples_seen_.try_emplace(triple, t).second) seen(Seen::kTriple);
  }
  const auto last = last_seen_.find(ids[t]);
  if (last != last_seen_.end()) {
    seen(Seen::kToken);
    add_at_most(FeatureOwner::kHistory, FeatureFamily::kRecent, kRecentDistances,
                static_cast<std::int64_t>(t - last->second));
  }
  if (!word_so_far.empty() && !words_seen_.try_emplace(word_so_far, t).second) seen(Seen::kWord);
  const auto position = static_cast<std::uint32_t>(run_.tokens.context_position[t]);
  for (std::uint32_t n : kEarly) {
    if (position < n) add(FeatureOwner::kHistory, FeatureFamily::kContextPosition, n);
  }
  const auto in_document = static_cast<std::uint32_t>(run_.tokens.position[t]);
  for (std::uint32_t n : kDocumentStarts) {
    if (in_document < n) add(FeatureOwner::kHistory, FeatureFamily::kDocumentStart, n);
  }
}

}  // namespace

FeatureRows extract_features(const TracedRun& run, const std::vector<bool>& in_explain, const TokenGroups& groups,
                             const ConceptMarks& concepts) {
  MOESCOPE_ASSERT(in_explain.size() == run.tokens.size());
  return Extractor(run, in_explain, groups, concepts).run();
}

PredicateTable make_predicates(const FeatureRows& rows, const std::vector<std::uint32_t>& rows_order,
                               std::size_t n_explain, const TracedRun& run, const TokenGroups& groups,
                               const PredicateOptions& options, PredicateCounts* counts) {
  const std::size_t n_features = rows.features.size();
  std::vector<std::int64_t> support(n_features, 0);
  for (std::size_t row = 0; row < n_explain; ++row) {
    const std::size_t t = rows_order[row];
    for (std::size_t i = rows.row_begin[t]; i < rows.row_begin[t + 1]; ++i) ++support[rows.row_items[i]];
  }
  std::vector<std::uint32_t> kept;
  for (std::size_t f = 0; f < n_features; ++f) {
    const std::int64_t n_not = static_cast<std::int64_t>(n_explain) - support[f];
    if (support[f] >= options.min_support && n_not >= options.min_support)
      kept.push_back(static_cast<std::uint32_t>(f));
  }
  counts->n_features = static_cast<std::int64_t>(n_features);
  counts->n_rare = counts->n_features - static_cast<std::int64_t>(kept.size());
  if (static_cast<std::int64_t>(kept.size()) > options.max_predicates) {
    counts->n_over = static_cast<std::int64_t>(kept.size()) - options.max_predicates;
    std::stable_sort(kept.begin(), kept.end(), [&](auto a, auto b) { return support[a] > support[b]; });
    kept.resize(static_cast<std::size_t>(options.max_predicates));
  }
  std::sort(kept.begin(), kept.end(), [&](auto a, auto b) {
    const FeatureKey &x = rows.features[a], &y = rows.features[b];
    return std::tuple(x.family, x.owner, x.value) < std::tuple(y.family, y.owner, y.value);
  });

  std::vector<std::int32_t> column_of(n_features, -1);
  for (std::size_t p = 0; p < kept.size(); ++p) column_of[kept[p]] = static_cast<std::int32_t>(p);
  std::vector<std::vector<std::uint32_t>> columns(kept.size());
  for (std::size_t row = 0; row < rows_order.size(); ++row) {
    const std::size_t t = rows_order[row];
    for (std::size_t i = rows.row_begin[t]; i < rows.row_begin[t + 1]; ++i) {
      const std::int32_t p = column_of[rows.row_items[i]];
      // A token may carry one feature twice (a seen token that also repeats): its column lists it once.
      if (p < 0) continue;
      auto& column = columns[static_cast<std::size_t>(p)];
      if (column.empty() || column.back() != row) column.push_back(static_cast<std::uint32_t>(row));
    }
  }

  std::unordered_map<std::uint64_t, std::vector<std::size_t>> by_hash;
  std::vector<Predicate> predicates;
  std::vector<std::vector<std::uint32_t>> distinct;
  for (std::size_t p = 0; p < kept.size(); ++p) {
    std::uint64_t hash = columns[p].size();
    for (std::uint32_t row : columns[p]) hash = (hash ^ row) * 0x100000001B3ull;
    auto& same = by_hash[hash];
    const bool equal = std::any_of(same.begin(), same.end(), [&](std::size_t q) { return distinct[q] == columns[p]; });
    if (equal) {
      ++counts->n_equal;
      continue;
    }
    same.push_back(distinct.size());
    distinct.push_back(std::move(columns[p]));
    predicates.push_back(describe(rows.features[kept[p]], rows, run, groups));
  }
  return PredicateTable(rows_order.size(), std::move(predicates), distinct);
}

}  // namespace moescope::label
