// moescope probe: k-sparse probes of every expert for every concept.
#include "moescope/analysis/probe/probe.h"

#include <cstdio>
#include <memory>

#include "moescope/base/byte_size.h"
#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/cli/settings_file.h"
#include "moescope/report/compare/compare.h"

namespace moescope::cli {
namespace {

struct ProbeFlags {
  analysis::probe::ProbeOptions options;
  std::string protocol = "default";
  std::string memory;
  std::string settings;
  bool no_controls = false;
  bool json = false;
};

// The aggregates of one run, in the words of `compare`.
std::string aggregates(const std::filesystem::path& run) {
  report::CompareOptions options;
  const report::ComparedModel model = report::read_model(run.string(), options);
  return report::describe(model, options);
}

void run(CLI::App& command, ProbeFlags& flags, const Session& session) {
  apply_settings_file(command, flags.settings);
  analysis::probe::ProbeOptions& options = flags.options;
  options.fit.published = flags.protocol == "published";
  options.fit.controls = !flags.no_controls;
  if (!flags.memory.empty()) options.memory_bytes = parse_bytes(flags.memory);
  options.invocation = session.invocation;
  const analysis::probe::ProbeSummary summary = analysis::probe::probe(options, session.console);
  if (flags.json) {
    std::fputs((summary.run.dump(2) + "\n").c_str(), stdout);
    return;
  }
  std::fputs(analysis::probe::describe(summary).c_str(), stdout);
  std::fputs(aggregates(summary.out).c_str(), stdout);
}

void add_text_flags(CLI::App& command, analysis::probe::ProbeOptions& options) {
  command.add_option("model", options.model, "folder of a model, or org/name in the Hugging Face cache")->required();
  command.add_option("corpus", options.corpus, "documents: file, folder or `system` (may be left out with --tagged)");
  command.add_option("--out", options.out, "run directory")->required();
  command
      .add_option("--tagged", options.tagged,
                  "sentences with tagged words, for parts of speech: .conllu, .jsonl or .parquet")
      ->allow_extra_args(false);
  command.add_option("--shifted", options.shifted, "documents of another source, for the control of stability");
  command.add_option("--shifted-tagged", options.shifted_tagged, "tagged sentences of another source")
      ->allow_extra_args(false);
  command.add_option("--concepts", options.concepts, "concept file instead of the built-in one");
  command.add_option("--text-field", options.corpus_options.text_field, "JSON key or column of the text")
      ->capture_default_str();
  command.add_option("--domain-field", options.corpus_options.domain_field, "JSON key or column of the domain")
      ->capture_default_str();
  command.add_option("--words-field", options.tagged_options.words_field, "JSON key or column of a sentence's words")
      ->capture_default_str();
  command.add_option("--tags-field", options.tagged_options.tags_field, "JSON key or column of their tags")
      ->capture_default_str();
  command.add_option("--latex-domains", options.sample.latex_domains, "domains in which LaTeX concepts are looked for")
      ->capture_default_str()
      ->delimiter(',');
  command.add_option("--code-domains", options.sample.code_domains, "domains in which code concepts are looked for")
      ->capture_default_str()
      ->delimiter(',');
  command.add_option("--max-documents", options.max_documents, "read so many documents of a corpus (0: all)")
      ->capture_default_str();
  command.add_option("--window-characters", options.sample.window_characters, "characters of a window")
      ->capture_default_str();
  command.add_option("--windows-per-document", options.sample.windows_per_document, "windows of a document")
      ->capture_default_str();
  command.add_option("--tokens-per-concept", options.sample.n_tokens_per_concept, "sampled tokens of a concept")
      ->capture_default_str();
}

void add_fit_flags(CLI::App& command, ProbeFlags& flags) {
  analysis::probe::FitOptions& fit = flags.options.fit;
  command
      .add_option("--protocol", flags.protocol,
                  "default: train and test in different documents; published: tokens of an expert, stratified")
      ->capture_default_str()
      ->check(CLI::IsMember({"default", "published"}));
  command.add_option("--ks", fit.probe.widths, "neurons a probe reads, rising")->capture_default_str()->delimiter(',');
  command.add_option("--min-per-class", fit.probe.min_per_class, "fewer positives or negatives: no fit")
      ->capture_default_str();
  command.add_flag("--no-controls", flags.no_controls, "main probes only");
  command.add_option("--matched-width", fit.matched.width,
                     "control for dense layers: neurons of a random subset (the width of the other model's experts)");
  command.add_option("--matched-experts", fit.matched.n_subsets, "how many such subsets a layer");
  command.add_option("--matched-token-frac", fit.matched.token_frac, "share of the tokens that a subset sees")
      ->capture_default_str();
  command.add_option("--active-frac", fit.active_frac, "a neuron is active above this share of the token's largest")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
}

}  // namespace

void add_probe(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<ProbeFlags>();
  analysis::probe::ProbeOptions& options = flags->options;
  add_text_flags(command, options);
  add_fit_flags(command, *flags);
  command.add_option("--layers", options.layers, "layers to probe (default: all)")->delimiter(',');
  command.add_option("--seed", options.seed, "seed of samples, splits and controls")->capture_default_str();
  command.add_option("--device", options.device, "cpu or cuda[:i]")->capture_default_str();
  command.add_option("--dtype", options.dtype, "auto, float32 or bfloat16")->capture_default_str();
  command.add_option("--memory", flags->memory, "memory budget, such as 8G (default: half of what is free)");
  command.add_option("--wave-tokens", options.max_wave_tokens, "tokens of a wave (0: from the budget)")
      ->capture_default_str();
  command.add_option("--threads", options.n_threads, "0: all processors")->capture_default_str();
  command.add_option("--settings", flags->settings, "TOML file with these flags");
  command.add_flag("--json", flags->json, "print run.json");
  command.footer(
      "Example: moescope probe models/tiny-olmoe corpus.jsonl.zst --tagged en.conllu --out runs/probes\n"
      "Then: moescope compare runs/probes other=runs/other --out runs/compared");
  command.callback([flags, &command, session] { run(command, *flags, session); });
}

}  // namespace moescope::cli
