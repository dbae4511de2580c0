// What probes are fitted on: short windows of text, run as sequences of their own, and for every concept a sample of
// their tokens. Source: "The Expert Strikes Back" (arXiv 2604.02178), section 4, and its published code.
//
// A document gives `windows_per_document` windows of `window_characters`: from its start, or from its end for code. A
// tagged sentence is one window of at most `tagged_characters`. Concepts of category latex are looked for in LaTeX
// documents, code in code, concepts of tags in tagged sentences, all others everywhere; the same tokens serve all.
// The sample of a concept: windows in random order; of a window that has the concept all positive tokens and as many
// random negative ones (fewer if it has no more), until n_tokens_per_concept are reached.
// Non-goals: special tokens (none are added), several contexts for one token.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/io/documents.h"
#include "moescope/io/tagged_text.h"
#include "moescope/text/concepts.h"
#include "moescope/text/tokenizer.h"
#include "moescope/text/windows.h"

namespace moescope::analysis::probe {

struct SampleOptions {
  std::int64_t window_characters = 300;
  std::int64_t tagged_characters = 400;
  std::int64_t windows_per_document = 1;
  std::int64_t n_tokens_per_concept = 5000;
  std::int64_t n_context = 0;  // of the model: longer windows are cut, and counted
  std::vector<std::string> latex_domains = {"ArXiv", "LaTeX"};
  std::vector<std::string> code_domains = {"Github", "Python", "Perl", "C header"};
  std::uint64_t seed = 1;
  int n_threads = 0;
};

enum class WindowKind : std::uint8_t { kText, kLatex, kCode, kTagged };

struct Window {
  std::int32_t document = 0;  // windows of one document have one number
  std::int32_t source = 0;    // 0: the corpus, 1: the shifted one
  WindowKind kind = WindowKind::kText;
  std::int64_t first_token = 0, n_tokens = 0;  // in ProbeCorpus::tokens.token_ids
};

struct SampleToken {
  std::int64_t token_idx = 0;  // in ProbeCorpus::tokens.token_ids
  std::int32_t document = 0;
  std::uint8_t label = 0;
};

// Owns everything.
struct ProbeCorpus {
  text::TokenCorpus tokens;  // a sequence a window
  std::vector<Window> windows;
  std::vector<std::vector<SampleToken>> samples;          // by concept, of source 0
  std::vector<std::vector<SampleToken>> shifted_samples;  // by concept, of source 1
  std::vector<std::int32_t> sampled_row;                  // [N], -1: in no sample; else numbered through
  std::int64_t n_sampled = 0;
  std::int64_t n_documents = 0;      // that gave a window
  std::int64_t n_without_token = 0;  // windows whose text has no token
  std::int64_t n_cut = 0;            // windows longer than the model's context
};

// Collects windows; then draws samples. Not thread-safe.
class SampleBuilder {
 public:
  SampleBuilder(const text::Tokenizer& tokenizer, const text::ConceptLibrary& concepts, const SampleOptions& options);

  void add_document(const io::Document& document, std::int32_t source);
  void add_sentence(const io::TaggedSentence& sentence, std::int32_t source);

  // Tokenises, marks and samples. Throws kInput if no window was added. Leaves the builder empty.
  ProbeCorpus build();

 private:
  struct Pending {
    Window window;
    std::string text;
    std::vector<io::TaggedWord> words;
    std::vector<std::int32_t> token_ids;
    std::vector<std::vector<bool>> labels;  // by concept; empty where the concept is not looked for
  };
  void prepare(Pending& pending) const;
  std::vector<SampleToken> sample(const std::vector<Pending>& all, std::size_t concept_idx, std::int32_t source) const;
  bool looks_at(const text::Concept& one, WindowKind kind) const;

  const text::Tokenizer& tokenizer_;
  const text::ConceptLibrary& concepts_;
  SampleOptions options_;
  std::vector<Pending> pending_;
  std::int32_t n_documents_ = 0;
  std::string last_document_id_;
};

// Writes what was sampled, so that anyone can fit the same probes with their own code: token_ids [N] I32, window_begin
// [W+1] I64 (places in token_ids; each window is one sequence), window_document [W] I32, and one entry a sampled token
// and concept, in the order of concepts: item_concept, item_document [I] I32, item_token [I] I64 (place in token_ids),
// item_label [I] U8, item_part [I] U8 (0 train, 2 test: the split of the main probes in the default protocol).
void write_samples(const std::filesystem::path& path, const ProbeCorpus& corpus, std::uint64_t seed);

// The split of the main probes of a concept in the default protocol.
std::vector<std::uint8_t> main_split(const std::vector<SampleToken>& sample, std::size_t concept_idx,
                                     std::uint64_t seed);

// The part of every item of a sample, for shares of train, validation and test (they sum to 1): documents in random
// order, cut where the shares of the positive tokens are reached, so that no document stands on two sides.
std::vector<std::uint8_t> split_by_document(const std::vector<SampleToken>& sample, double train, double validation,
                                            std::uint64_t seed);
// The half, 0 or 1, of every item, by document.
std::vector<std::uint8_t> halves_by_document(const std::vector<SampleToken>& sample, std::uint64_t seed);

}  // namespace moescope::analysis::probe
