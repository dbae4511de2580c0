#include "moescope/analysis/probe/samples.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/base/parallel.h"
#include "moescope/base/random.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/probe_files.h"

namespace moescope::analysis::probe {

namespace {

constexpr double kMainTrain = 0.75;
constexpr std::uint64_t kWindowOrder = 21, kNegatives = 22, kSplit = 23, kHalf = 24;  // keep the uses of one seed apart

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

// Byte bounds of the characters [0, ...) of a text: bounds[i] is where character i begins, the last one the end.
std::vector<std::size_t> character_bounds(const std::string& text) {
  std::vector<std::size_t> bounds;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i])) bounds.push_back(i);
  }
  bounds.push_back(text.size());
  return bounds;
}

std::vector<std::string> cut_windows(const std::string& text, std::int64_t n_characters, std::int64_t n_windows,
                                     bool from_end) {
  const std::vector<std::size_t> bounds = character_bounds(text);
  const auto n = static_cast<std::int64_t>(bounds.size()) - 1;
  std::vector<std::string> windows;
  for (std::int64_t i = 0; i < n_windows && i * n_characters < n; ++i) {
    std::int64_t begin = i * n_characters, end = std::min(n, begin + n_characters);
    if (from_end) std::tie(begin, end) = std::pair(n - end, n - begin);
    const std::size_t first = bounds[static_cast<std::size_t>(begin)];
    windows.push_back(text.substr(first, bounds[static_cast<std::size_t>(end)] - first));
  }
  return windows;
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// Whether each token overlaps a mark; both are sorted.
std::vector<bool> overlap(const std::vector<text::Offset>& tokens, const std::vector<text::Offset>& marks) {
  std::vector<bool> marked(tokens.size(), false);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto first = std::upper_bound(marks.begin(), marks.end(), tokens[t].begin,
                                        [](std::int64_t begin, const text::Offset& mark) { return begin < mark.end; });
    marked[t] = first != marks.end() && first->begin < tokens[t].end;
  }
  return marked;
}

void hash_number(ContentHasher& hasher, std::int64_t number) { hasher.add(std::to_string(number) + ";"); }

}  // namespace

SampleBuilder::SampleBuilder(const text::Tokenizer& tokenizer, const text::ConceptLibrary& concepts,
                             const SampleOptions& options)
    : tokenizer_(tokenizer), concepts_(concepts), options_(options) {}

void SampleBuilder::add_document(const io::Document& document, std::int32_t source) {
  Pending pending;
  pending.window.document = n_documents_++;
  pending.window.source = source;
  if (contains(options_.latex_domains, document.domain)) pending.window.kind = WindowKind::kLatex;
  if (contains(options_.code_domains, document.domain)) pending.window.kind = WindowKind::kCode;
  const bool is_code = pending.window.kind == WindowKind::kCode;
  for (std::string& text :
       cut_windows(document.text, options_.window_characters, options_.windows_per_document, is_code)) {
    pending_.push_back(pending);
    pending_.back().text = std::move(text);
  }
  last_document_id_.clear();
}

void SampleBuilder::add_sentence(const io::TaggedSentence& sentence, std::int32_t source) {
  if (sentence.document_id != last_document_id_) ++n_documents_;
  last_document_id_ = sentence.document_id;
  Pending pending;
  pending.window.document = n_documents_ - 1;
  pending.window.source = source;
  pending.window.kind = WindowKind::kTagged;
  const std::vector<std::string> cut = cut_windows(sentence.text, options_.tagged_characters, 1, false);
  if (cut.empty()) return;
  pending.text = cut[0];
  pending.words = sentence.words;
  pending_.push_back(std::move(pending));
}

bool SampleBuilder::looks_at(const text::Concept& one, WindowKind kind) const {
  if (!one.tags.empty()) return kind == WindowKind::kTagged;
  if (one.category == "latex") return kind == WindowKind::kLatex;
  if (one.category == "code") return kind == WindowKind::kCode;
  return true;
}

void SampleBuilder::prepare(Pending& pending) const {
  const text::EncodedText encoding = tokenizer_.encode(pending.text);
  pending.token_ids.assign(encoding.ids.begin(), encoding.ids.end());
  pending.labels.resize(concepts_.size());
  for (std::size_t c = 0; c < concepts_.size(); ++c) {
    const text::Concept& one = concepts_.at(c);
    if (!looks_at(one, pending.window.kind)) continue;
    const std::vector<text::Offset> marks =
        one.tags.empty() ? concepts_.marks(c, pending.text) : concepts_.tag_marks(c, pending.words);
    std::vector<bool> labels = overlap(encoding.bytes, marks);
    if (std::find(labels.begin(), labels.end(), true) != labels.end()) pending.labels[c] = std::move(labels);
  }
}

std::vector<SampleToken> SampleBuilder::sample(const std::vector<Pending>& all, std::size_t concept_idx,
                                               std::int32_t source) const {
  std::vector<std::size_t> order;
  for (std::size_t w = 0; w < all.size(); ++w) {
    if (all[w].window.source == source && !all[w].labels[concept_idx].empty()) order.push_back(w);
  }
  const auto priority = [&](std::size_t w) { return hash64(options_.seed, kWindowOrder, concept_idx, w); };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::pair(priority(a), a) < std::pair(priority(b), b); });
  std::vector<SampleToken> items;
  for (const std::size_t w : order) {
    if (static_cast<std::int64_t>(items.size()) >= options_.n_tokens_per_concept) break;
    const Window& window = all[w].window;
    const std::vector<bool>& labels = all[w].labels[concept_idx];
    std::vector<std::int64_t> negatives;
    std::int64_t n_positive = 0;
    for (std::int64_t t = 0; t < window.n_tokens; ++t) {  // a cut window has more labels than tokens
      if (!labels[static_cast<std::size_t>(t)]) {
        negatives.push_back(t);
        continue;
      }
      items.push_back({window.first_token + t, window.document, 1});
      ++n_positive;
    }
    Random random(hash64(options_.seed, kNegatives, concept_idx, w));
    const auto n_wanted = std::min(static_cast<std::size_t>(n_positive), negatives.size());
    for (std::size_t i = 0; i < n_wanted; ++i) {  // the first n_wanted of a random order
      std::swap(negatives[i], negatives[i + random.below(negatives.size() - i)]);
      items.push_back({window.first_token + negatives[i], window.document, 0});
    }
  }
  return items;
}

ProbeCorpus SampleBuilder::build() {
  if (pending_.empty()) throw input_error("the corpus is empty: there is no text to probe on");
  parallel_for(pending_.size(), options_.n_threads, [&](std::size_t i) { prepare(pending_[i]); });
  ProbeCorpus corpus;
  text::TokenCorpus& tokens = corpus.tokens;
  ContentHasher hasher;
  std::set<std::int32_t> documents;
  for (Pending& pending : pending_) {
    auto n_tokens = static_cast<std::int64_t>(pending.token_ids.size());
    if (n_tokens == 0) {
      ++corpus.n_without_token;
      pending.labels.assign(concepts_.size(), {});
      continue;
    }
    if (options_.n_context > 0 && n_tokens > options_.n_context) {
      n_tokens = options_.n_context;
      ++corpus.n_cut;
    }
    const auto first = static_cast<std::int64_t>(tokens.token_ids.size());
    pending.window.first_token = first;
    pending.window.n_tokens = n_tokens;
    tokens.token_ids.insert(tokens.token_ids.end(), pending.token_ids.begin(), pending.token_ids.begin() + n_tokens);
    text::TokenizedDocument document;
    document.corpus_idx = static_cast<std::int64_t>(tokens.documents.size());
    document.first_token = first;
    document.n_tokens = n_tokens;
    text::Sequence sequence;
    sequence.first_token = first;
    sequence.first_window = tokens.n_windows++;
    sequence.n_tokens = static_cast<std::int32_t>(n_tokens);
    sequence.doc_idx = static_cast<std::int32_t>(tokens.documents.size());
    tokens.documents.push_back(std::move(document));
    tokens.sequences.push_back(sequence);
    tokens.context = std::max(tokens.context, n_tokens);
    corpus.windows.push_back(pending.window);
    documents.insert(pending.window.document);
    hash_number(hasher, pending.window.document);
    hash_number(hasher, pending.window.source * 4 + static_cast<int>(pending.window.kind));
    for (const std::int32_t id : pending.token_ids) hash_number(hasher, id);
  }
  tokens.window = tokens.context;
  corpus.n_documents = static_cast<std::int64_t>(documents.size());
  corpus.samples.resize(concepts_.size());
  corpus.shifted_samples.resize(concepts_.size());
  corpus.sampled_row.assign(tokens.token_ids.size(), -1);
  for (std::size_t c = 0; c < concepts_.size(); ++c) {
    corpus.samples[c] = sample(pending_, c, 0);
    corpus.shifted_samples[c] = sample(pending_, c, 1);
    for (const auto* items : {&corpus.samples[c], &corpus.shifted_samples[c]}) {
      for (const SampleToken& item : *items) {
        std::int32_t& row = corpus.sampled_row[static_cast<std::size_t>(item.token_idx)];
        if (row < 0) row = static_cast<std::int32_t>(corpus.n_sampled++);
        hash_number(hasher, item.token_idx * 2 + item.label);
      }
    }
  }
  tokens.hash = hasher.digest();
  pending_.clear();
  return corpus;
}

std::vector<std::uint8_t> split_by_document(const std::vector<SampleToken>& sample, double train, double validation,
                                            std::uint64_t seed) {
  std::map<std::int32_t, std::int64_t> n_positive;  // by document
  std::int64_t n_all = 0;
  for (const SampleToken& item : sample) {
    n_positive[item.document] += item.label;
    n_all += item.label;
  }
  std::vector<std::int32_t> order;
  for (const auto& [document, n] : n_positive) order.push_back(document);
  const auto priority = [&](std::int32_t d) { return hash64(seed, kSplit, static_cast<std::uint64_t>(d)); };
  std::sort(order.begin(), order.end(),
            [&](std::int32_t a, std::int32_t b) { return std::pair(priority(a), a) < std::pair(priority(b), b); });
  std::map<std::int32_t, std::uint8_t> part;
  std::int64_t n_before = 0;
  for (const std::int32_t document : order) {
    // A document belongs where its middle lies.
    const double middle = (static_cast<double>(n_before) + static_cast<double>(n_positive[document]) / 2) /
                          static_cast<double>(std::max<std::int64_t>(1, n_all));
    part[document] = middle < train ? 0 : middle < train + validation ? 1 : 2;
    n_before += n_positive[document];
  }
  std::vector<std::uint8_t> parts;
  for (const SampleToken& item : sample) parts.push_back(part[item.document]);
  return parts;
}

std::vector<std::uint8_t> main_split(const std::vector<SampleToken>& sample, std::size_t concept_idx,
                                     std::uint64_t seed) {
  return split_by_document(sample, kMainTrain, 0, hash64(seed, concept_idx));
}

void write_samples(const std::filesystem::path& path, const ProbeCorpus& corpus, std::uint64_t seed) {
  run::ProbeSamples samples;
  samples.token_ids = corpus.tokens.token_ids;
  for (const Window& window : corpus.windows) {
    samples.window_begin.push_back(window.first_token);
    samples.window_document.push_back(window.document);
  }
  samples.window_begin.push_back(static_cast<std::int64_t>(corpus.tokens.token_ids.size()));
  for (std::size_t c = 0; c < corpus.samples.size(); ++c) {
    const std::vector<std::uint8_t> parts = main_split(corpus.samples[c], c, seed);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const SampleToken& item = corpus.samples[c][i];
      samples.item_concept.push_back(static_cast<std::int32_t>(c));
      samples.item_document.push_back(item.document);
      samples.item_token.push_back(item.token_idx);
      samples.item_label.push_back(item.label);
      samples.item_part.push_back(parts[i]);
    }
  }
  samples.n_tokens = static_cast<std::int64_t>(samples.token_ids.size());
  samples.n_windows = static_cast<std::int64_t>(samples.window_document.size());
  samples.n_bounds = samples.n_windows + 1;
  samples.n_items = static_cast<std::int64_t>(samples.item_token.size());
  std::vector<io::TensorToWrite> tensors;
  run::add_tensors(tensors, samples);
  io::write_safetensors(path, tensors);
}

std::vector<std::uint8_t> halves_by_document(const std::vector<SampleToken>& sample, std::uint64_t seed) {
  std::vector<std::uint8_t> halves;
  for (const SampleToken& item : sample) {
    halves.push_back(static_cast<std::uint8_t>(hash64(seed, kHalf, static_cast<std::uint64_t>(item.document)) & 1));
  }
  return halves;
}

}  // namespace moescope::analysis::probe
