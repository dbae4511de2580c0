#include "moescope/cli/record_flags.h"

namespace moescope::cli {

void add_record_flags(CLI::App& command, RecordFlags& flags) {
  record::RecordOptions& o = flags.options;
  add_model_flags(command, flags.model);
  command
      .add_option("CORPUS", o.corpus,
                  "text: file or folder (.txt .jsonl .json .parquet .conllu, .gz, .zst), or `system`")
      ->required();
  command.add_option("--out", o.out, "run directory")->required();
  command.add_option("--settings", flags.settings, "file with settings (TOML); flags win over it");

  const auto add = [&](const char* name, auto& value, const char* text, const char* group) {
    command.add_option(name, value, text)->capture_default_str()->group(group);
  };
  const char* corpus = "Corpus";
  add("--tokens", o.n_tokens, "tokens of the corpus to run, 0: all", corpus);
  add("--text-field", o.corpus_options.text_field, "key or column of the text", corpus);
  add("--domain-field", o.corpus_options.domain_field, "key or column of the domain", corpus);
  add("--max-document-bytes", o.corpus_options.max_document_bytes, "a larger document is an error", corpus);
  add("--context", o.context, "tokens that the model sees together, at most its own limit", corpus);
  add("--window", o.window, "tokens of an evidence window", corpus);
  add("--shuffle", o.shuffle, "documents in a random order", corpus);
  add("--seed", o.seed, "of every random choice", corpus);

  const char* kept = "What is kept";
  add("--evidence", o.n_strongest, "strongest windows of an expert", kept);
  add("--evidence-reservoir", o.n_reservoir, "windows sampled for an expert, to tell the deciles of strength", kept);
  add("--evidence-per-decile", o.n_per_decile, "of them kept", kept);
  add("--trace-tokens", o.n_trace_tokens, "first tokens of the run whose routing is written", kept);
  add("--lens-final-norm", o.lens_final_norm, "promoted tokens through the final norm's scale", kept);
  add("--loss", o.loss, "mean next-token loss", kept);

  add("--wave-tokens", o.max_wave_tokens, "most tokens of a wave, 0: from the memory budget", "Machine");
}

}  // namespace moescope::cli
