#include "moescope/record/tables.h"

#include <algorithm>
#include <cmath>

#include "moescope/io/atomic_file.h"
#include "moescope/io/utf8.h"
#include "moescope/run/record_files.h"

namespace moescope::record {
namespace {

namespace fs = std::filesystem;

const char* expert_status(std::int64_t n_tokens, std::int64_t n_windows, std::int64_t n_windows_wanted) {
  if (n_tokens == 0) return "never";
  return n_windows < n_windows_wanted ? "rare" : "ok";
}

double ratio(double a, double b) { return a / b; }
double ratio(std::int64_t a, std::int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

std::vector<run::ExpertRow> expert_rows(const Recorder& recorder, std::int64_t n_windows_wanted) {
  const RecordShape& shape = recorder.shape();
  const ExpertCounters& counters = recorder.counters();
  std::vector<run::ExpertRow> rows;
  for (std::int64_t l = 0; l < shape.n_layers; ++l) {
    const std::int64_t n_routed = recorder.router().n_tokens[static_cast<std::size_t>(l)] * shape.n_per_token_in(l);
    for (std::int64_t e = 0; e < shape.n_experts_in(l); ++e) {
      const std::size_t idx = shape.idx(l, e);
      const std::int64_t n = counters.n_tokens[idx];
      const auto mean = [&](double sum) -> std::optional<double> {
        return n == 0 ? std::nullopt : std::optional(ratio(sum, static_cast<double>(n)));
      };
      run::ExpertRow& row = rows.emplace_back();
      row.id = expert_id(shape, l, e);
      row.n_tokens = n;
      if (row.id.kind != run::kShared) row.load_frac = ratio(n, n_routed);
      row.mean_weight = mean(counters.sum_weight[idx]);
      row.mean_score = mean(counters.sum_score[idx]);
      row.mean_output_norm = mean(counters.sum_norm[idx]);
      row.active_neuron_frac = mean(ratio(counters.n_active[idx], shape.d_hidden(l, e)));
      row.active_neuron_frac_01 = mean(ratio(counters.n_active_01[idx], shape.d_hidden(l, e)));
      row.n_windows = recorder.evidence().n_windows_fired(l, e);
      row.status = expert_status(n, row.n_windows, n_windows_wanted);
    }
  }
  return rows;
}

std::vector<run::LayerRow> layer_rows(const Recorder& recorder) {
  const RecordShape& shape = recorder.shape();
  const RouterStatistics& router = recorder.router();
  std::vector<run::LayerRow> rows;
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
    run::LayerRow& row = rows.emplace_back();
    row.layer = l;
    row.n_tokens = n;
    row.router_entropy_bits = ratio(router.sum_entropy_bits[at], static_cast<double>(n));
    row.router_margin = ratio(router.sum_margin[at], static_cast<double>(n));
    row.load_entropy_bits = bits;
    row.load_max_over_mean = ratio(most * shape.n_routed_in(l), n_routed);
    row.n_never_used = never;
  }
  return rows;
}

std::vector<run::DomainRow> domain_rows(const Recorder& recorder) {
  const RecordShape& shape = recorder.shape();
  const auto n_domains = static_cast<std::size_t>(recorder.counters().n_domains());
  std::vector<run::DomainRow> rows;
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
        const double share = ratio(count(l, e, d) * shape.n_per_token_in(l), of_domain[d]);
        rows.push_back({expert_id(shape, l, e), recorder.domains().names[d], count(l, e, d), share});
      }
    }
  }
  return rows;
}

}  // namespace

run::ExpertId expert_id(const RecordShape& shape, std::int64_t layer, std::int64_t expert) {
  const ExpertKind kind = shape.kind(layer, expert);
  if (kind == ExpertKind::kShared) return {layer, expert, run::kShared};
  return {layer, expert, kind == ExpertKind::kDense || shape.n_routed_in(layer) == 1 ? run::kDense : run::kRouted};
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
  run::write_table(folder, "experts", expert_rows(recorder, n_windows_wanted));
  run::write_table(folder, "layers", layer_rows(recorder));
  run::write_table(folder, "domains", domain_rows(recorder));
}

void write_coactivation(const fs::path& folder, const Recorder& recorder) {
  const std::int64_t n_experts = recorder.shape().n_experts;
  const auto size = static_cast<std::ptrdiff_t>(n_experts * n_experts);
  const std::vector<std::int64_t>& counts = recorder.router().coactivation;
  std::vector<run::Coactivation> layers;
  for (std::int64_t l = 0; l < recorder.shape().n_layers; ++l) {
    const auto first = counts.begin() + l * size;
    layers.push_back({n_experts, {first, first + size}});
  }
  run::write_layers(folder / "coactivation.safetensors", layers);
}

std::vector<std::string> vocabulary(const text::Tokenizer& tokenizer, std::int64_t d_vocab) {
  std::vector<std::string> pieces(static_cast<std::size_t>(d_vocab));
  std::int64_t n_replaced = 0;  // pieces are parts of characters: expected, and nothing is lost
  for (std::int32_t id = 0; id < std::min<std::int64_t>(tokenizer.vocab_size(), d_vocab); ++id) {
    pieces[static_cast<std::size_t>(id)] = io::repair_utf8(tokenizer.piece_bytes(id), n_replaced);
  }
  return pieces;
}

void write_documents(const fs::path& folder, const text::TokenCorpus& corpus, const Domains& domains,
                     std::int64_t n_traced) {
  io::AtomicFile file(folder / "documents.jsonl");
  for (std::size_t i = 0; i < corpus.documents.size(); ++i) {
    const text::TokenizedDocument& document = corpus.documents[i];
    const std::int64_t n = std::clamp<std::int64_t>(n_traced - document.first_token, 0, document.n_tokens);
    run::DocumentLine line;
    line.doc_idx = static_cast<std::int64_t>(i);
    line.id = document.id;
    line.domain = domains.names[static_cast<std::size_t>(domains.of_document[i])];
    line.n_tokens = document.n_tokens;
    line.n_traced = n;
    if (n > 0) line.text = document.text;
    file.write(run::json_line(run::to_json(line)));
  }
  file.commit();
}

}  // namespace moescope::record
