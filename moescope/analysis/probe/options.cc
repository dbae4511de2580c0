#include "moescope/analysis/probe/options.h"

#include "moescope/base/error.h"

namespace moescope::analysis::probe {

void ProbeOptions::describe(OptionList& list) {
  list.add("corpus", corpus, "documents: file, folder or `system` (may be left out with tagged text)",
           {.positional = true});
  list.add("out", out, "run directory", {.required = true, .in_identity = false});
  list.add("concepts", concepts, "concept file instead of the built-in one");
  list.add("layers", layers, "to probe; without: all", {.least = 0});
  list.add("seed", seed, "of samples, splits and controls");
  corpus_options.describe(list);
  list.add("tagged", tagged, "sentences with tagged words, for parts of speech: .conllu, .jsonl or .parquet");
  tagged_options.describe(list);
  list.add("shifted", shifted, "documents of another source, for the control of stability");
  list.add("shifted-tagged", shifted_tagged, "tagged sentences of another source");
  list.add("max-documents", max_documents, "read so many documents of a corpus; 0: all",
           {.unit = "documents", .least = 0});
  list.group("Sample");
  list.add("window-characters", sample.window_characters, "of a window", {.unit = "characters", .least = 1});
  list.add("tagged-characters", sample.tagged_characters, "of a tagged sentence", {.unit = "characters", .least = 1});
  list.add("windows-per-document", sample.windows_per_document, "of a document", {.unit = "windows", .least = 1});
  list.add("tokens-per-concept", sample.n_tokens_per_concept, "sampled", {.unit = "tokens", .least = 2});
  list.add("latex-domains", sample.latex_domains, "in which LaTeX concepts are looked for");
  list.add("code-domains", sample.code_domains, "in which code concepts are looked for");
  list.group("Probes");
  list.add("protocol", fit.protocol,
           "default: train and test in different documents; published: tokens of an expert, stratified");
  list.add("ks", fit.probe.widths, "neurons that a probe reads, rising", {.least = 1, .required = true});
  list.add("min-per-class", fit.probe.min_per_class, "fewer positives or negatives: no fit", {.least = 1});
  list.add("data-weight", fit.probe.logistic.c, "of the data against the penalty of a fit", {.above = 0, .key = "c"});
  list.add("controls", fit.controls, "beside the main probes");
  list.add("matched-width", fit.matched.width,
           "control for dense layers: neurons of a random subset (the width of the other model's experts)",
           {.least = 0});
  list.add("matched-experts", fit.matched.n_subsets, "such subsets a layer", {.least = 0});
  list.add("matched-token-frac", fit.matched.token_frac, "share of the tokens that a subset sees",
           {.above = 0, .most = 1});
  list.add("active-frac", fit.active_frac, "a neuron is active above this share of the token's largest",
           {.least = 0, .most = 1});
  list.group("Machine");
  list.add("wave-tokens", max_wave_tokens, "most tokens of a wave, 0: from the memory budget",
           {.unit = "tokens", .least = 0, .in_identity = false});
}

void check(const ProbeOptions& options) {
  check_options(options);
  if (options.corpus.empty() && options.tagged.empty()) {
    throw usage_error("no text given").hint(option_name("corpus") + ", " + option_name("tagged") + " or both");
  }
  const std::vector<std::int32_t>& widths = options.fit.probe.widths;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    if (widths[i] <= widths[i - 1]) {
      throw usage_error("{} has {} behind {}, expected rising numbers", option_name("ks"), widths[i], widths[i - 1]);
    }
  }
  const MatchedOptions& matched = options.fit.matched;
  if ((matched.width > 0) != (matched.n_subsets > 0)) {
    throw usage_error("{} and {} belong together", option_name("matched-width"), option_name("matched-experts"));
  }
  if (matched.width > 0 && !options.fit.controls) {
    throw usage_error("{} needs {}", option_name("matched-width"), option_name("controls"));
  }
}

}  // namespace moescope::analysis::probe
