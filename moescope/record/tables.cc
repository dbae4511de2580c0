#include "moescope/record/tables.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "moescope/io/atomic_file.h"
#include "moescope/io/run_directory.h"
#include "moescope/io/table.h"
#include "moescope/io/utf8.h"

namespace moescope::record {
namespace {

namespace fs = std::filesystem;

void write_table(const fs::path& folder, const std::string& name, const io::Table& table) {
  io::write_csv(folder / (name + ".csv"), table);
  if (io::parquet_available()) io::write_parquet(folder / (name + ".parquet"), table);
}

const char* expert_status(std::int64_t n_tokens, std::int64_t n_windows, std::int64_t n_windows_wanted) {
  if (n_tokens == 0) return "never";
  return n_windows < n_windows_wanted ? "rare" : "ok";
}

double ratio(double a, double b) { return a / b; }
double ratio(std::int64_t a, std::int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

io::Table expert_table(const Recorder& recorder, std::int64_t n_windows_wanted) {
  const RecordShape& shape = recorder.shape();
  const ExpertCounters& counters = recorder.counters();
  io::IntColumn layer, expert, n_tokens, n_windows;
  io::RealColumn load, weight, score, norm, active, active_01;
  io::TextColumn kind, status;
  for (std::int64_t l = 0; l < shape.n_layers; ++l) {
    const std::int64_t n_routed = recorder.router().n_tokens[static_cast<std::size_t>(l)] * shape.n_per_token_in(l);
    for (std::int64_t e = 0; e < shape.n_experts_in(l); ++e) {
      const std::size_t idx = shape.idx(l, e);
      const std::int64_t n = counters.n_tokens[idx];
      const auto mean = [&](double sum) -> std::optional<double> {
        return n == 0 ? std::nullopt : std::optional(ratio(sum, static_cast<double>(n)));
      };
      const std::int64_t windows = recorder.evidence().n_windows_fired(l, e);
      const ExpertKind of = shape.kind(l, e);
      layer.emplace_back(l);
      expert.emplace_back(e);
      kind.emplace_back(kind_word(of));
      n_tokens.emplace_back(n);
      load.push_back(of == ExpertKind::kShared ? std::nullopt : std::optional(ratio(n, n_routed)));
      weight.push_back(mean(counters.sum_weight[idx]));
      score.push_back(mean(counters.sum_score[idx]));
      norm.push_back(mean(counters.sum_norm[idx]));
      active.push_back(mean(ratio(counters.n_active[idx], shape.d_hidden(l, e))));
      active_01.push_back(mean(ratio(counters.n_active_01[idx], shape.d_hidden(l, e))));
      n_windows.emplace_back(windows);
      status.emplace_back(expert_status(n, windows, n_windows_wanted));
    }
  }
  return {{{"layer", layer},
           {"expert", expert},
           {"kind", kind},
           {"n_tokens", n_tokens},
           {"load_frac", load},
           {"mean_weight", weight},
           {"mean_score", score},
           {"mean_output_norm", norm},
           {"active_neuron_frac", active},
           {"active_neuron_frac_01", active_01},
           {"n_windows", n_windows},
           {"status", status}}};
}

io::Table layer_table(const Recorder& recorder) {
  const RecordShape& shape = recorder.shape();
  const RouterStatistics& router = recorder.router();
  io::IntColumn layer, n_tokens, n_never;
  io::RealColumn entropy, margin, load_entropy, load_max;
  for (std::int64_t l = 0; l < shape.n_layers; ++l) {
    const auto at = static_cast<std::size_t>(l);
    const std::int64_t n = router.n_tokens[at];
    const std::int64_t n_routed = n * shape.n_per_token_in(l);
    double bits = 0;
    std::int64_t most = 0, never = 0;
    for (std::int64_t e = 0; e < shape.n_routed_in(l); ++e) {
      const std::int64_t of_expert = recorder.counters().n_tokens[shape.idx(l, e)];
      const double share = ratio(of_expert, n_routed);
      if (of_expert > 0) bits -= share * std::log2(share);
      most = std::max(most, of_expert);
      never += of_expert == 0 ? 1 : 0;
    }
    layer.emplace_back(l);
    n_tokens.emplace_back(n);
    entropy.emplace_back(ratio(router.sum_entropy_bits[at], static_cast<double>(n)));
    margin.emplace_back(ratio(router.sum_margin[at], static_cast<double>(n)));
    load_entropy.emplace_back(bits);
    load_max.emplace_back(ratio(most * shape.n_routed_in(l), n_routed));
    n_never.emplace_back(never);
  }
  return {{{"layer", layer},
           {"n_tokens", n_tokens},
           {"router_entropy_bits", entropy},
           {"router_margin", margin},
           {"load_entropy_bits", load_entropy},
           {"load_max_over_mean", load_max},
           {"n_never_used", n_never}}};
}

io::Table domain_table(const Recorder& recorder) {
  const RecordShape& shape = recorder.shape();
  const auto n_domains = static_cast<std::size_t>(recorder.counters().n_domains());
  io::IntColumn layer, expert, n_tokens;
  io::TextColumn kind, domain;
  io::RealColumn share;
  const auto count = [&](std::int64_t l, std::int64_t e, std::size_t d) {
    return recorder.counters().n_by_domain[shape.idx(l, e) * n_domains + d];
  };
  for (std::int64_t l = 0; l < shape.n_layers; ++l) {
    std::vector<std::int64_t> of_domain(n_domains);  // routed tokens: K for each token of the domain
    for (std::int64_t e = 0; e < shape.n_routed_in(l); ++e) {
      for (std::size_t d = 0; d < n_domains; ++d) of_domain[d] += count(l, e, d);
    }
    for (std::int64_t e = 0; e < shape.n_experts_in(l); ++e) {
      for (std::size_t d = 0; d < n_domains; ++d) {
        layer.emplace_back(l);
        expert.emplace_back(e);
        kind.emplace_back(kind_word(shape.kind(l, e)));
        domain.emplace_back(recorder.domains().names[d]);
        n_tokens.emplace_back(count(l, e, d));
        share.emplace_back(ratio(count(l, e, d) * shape.n_per_token_in(l), of_domain[d]));
      }
    }
  }
  return {{{"layer", layer},
           {"expert", expert},
           {"kind", kind},
           {"domain", domain},
           {"n_tokens", n_tokens},
           {"share_of_domain_frac", share}}};
}

std::string text_of_json(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::strict);
}

}  // namespace

const char* kind_word(ExpertKind kind) {
  switch (kind) {
    case ExpertKind::kRouted: return "routed";
    case ExpertKind::kDense: return "dense";
    case ExpertKind::kShared: return "shared";
  }
  return "";
}

RareExperts count_rare(const Recorder& recorder, std::int64_t n_windows_wanted) {
  RareExperts counts;
  for (std::int64_t l = 0; l < recorder.shape().n_layers; ++l) {
    for (std::int64_t e = 0; e < recorder.shape().n_experts_in(l); ++e) {
      const std::int64_t n = recorder.counters().n_tokens[recorder.shape().idx(l, e)];
      const std::string status = expert_status(n, recorder.evidence().n_windows_fired(l, e), n_windows_wanted);
      counts.n_never += status == "never" ? 1 : 0;
      counts.n_rare += status == "rare" ? 1 : 0;
    }
  }
  return counts;
}

void write_counter_tables(const fs::path& folder, const Recorder& recorder, std::int64_t n_windows_wanted) {
  write_table(folder, "experts", expert_table(recorder, n_windows_wanted));
  write_table(folder, "layers", layer_table(recorder));
  write_table(folder, "domains", domain_table(recorder));
}

void write_coactivation(const fs::path& folder, const Recorder& recorder) {
  const std::int64_t n_experts = recorder.shape().n_experts;
  const std::size_t size = static_cast<std::size_t>(n_experts * n_experts);
  StateArrays arrays;
  for (std::int64_t l = 0; l < recorder.shape().n_layers; ++l) {
    const std::span counts(recorder.router().coactivation.data() + static_cast<std::size_t>(l) * size, size);
    arrays.push_back(io::tensor_to_write(fmt::format("layers.{}.coactivation", l), {n_experts, n_experts}, counts));
  }
  io::write_safetensors(folder / "coactivation.safetensors", arrays);
}

std::vector<std::string> vocabulary(const text::Tokenizer& tokenizer, std::int64_t d_vocab) {
  std::vector<std::string> pieces(static_cast<std::size_t>(d_vocab));
  std::int64_t n_replaced = 0;  // pieces are parts of characters: expected, and nothing is lost
  for (std::int32_t id = 0; id < std::min<std::int64_t>(tokenizer.vocab_size(), d_vocab); ++id) {
    pieces[static_cast<std::size_t>(id)] = io::repair_utf8(tokenizer.piece_bytes(id), n_replaced);
  }
  return pieces;
}

void write_vocabulary(const fs::path& folder, const std::vector<std::string>& pieces) {
  io::write_file_atomically(folder / "vocabulary.json", text_of_json({{"pieces", pieces}}) + "\n");
}

void write_documents(const fs::path& folder, const text::TokenCorpus& corpus, const Domains& domains,
                     std::int64_t n_traced) {
  io::AtomicFile file(folder / "documents.jsonl");
  for (std::size_t i = 0; i < corpus.documents.size(); ++i) {
    const text::TokenizedDocument& document = corpus.documents[i];
    const std::int64_t n = std::clamp<std::int64_t>(n_traced - document.first_token, 0, document.n_tokens);
    nlohmann::ordered_json line = {{"doc_idx", i},
                                   {"id", document.id},
                                   {"domain", domains.names[static_cast<std::size_t>(domains.of_document[i])]},
                                   {"n_tokens", document.n_tokens},
                                   {"n_traced", n}};
    if (n > 0) line["text"] = document.text;
    file.write(line.dump() + "\n");
  }
  file.commit();
}

}  // namespace moescope::record
