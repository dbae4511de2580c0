#include "moescope/analysis/superpose/superpose.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "moescope/analysis/superpose/passes.h"
#include "moescope/analysis/superpose/sets.h"
#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/random.h"
#include "moescope/engine/device.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/record/run_parts.h"

namespace moescope::analysis::superpose {

namespace {

using nlohmann::json;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
std::uint64_t word(std::int64_t i) { return static_cast<std::uint64_t>(i); }

void check(const SuperposeOptions& options) {
  const auto at_least = [](const char* name, std::int64_t value, std::int64_t least) {
    if (value < least) throw usage_error("{} is {}, expected at least {}", name, value, least);
  };
  if (options.out.empty()) throw usage_error("no folder given").hint("--out DIR");
  if (!options.corpus.empty() && !options.run.empty()) {
    throw usage_error("a corpus and --run both tell how experts are used").hint("give one of them");
  }
  at_least("--tokens", options.n_tokens, 0);
  at_least("--context", options.context, 2);
  at_least("--features", options.n_features, 2);
  at_least("--least-tokens", options.least_tokens, 1);
  at_least("--draws", options.n_draws, 1);
}

// Measures one layer after the other and collects the rows.
class Measurer {
 public:
  Measurer(const SuperposeOptions& options, const Shares& shares, std::vector<ExpertRow>& rows)
      : options_(options), shares_(shares), rows_(rows) {}

  // density[e]: [n] of the set's features in expert e, or empty.
  void measure(std::int64_t layer, const LayerSet& set, const std::vector<std::vector<double>>& density) {
    std::vector<std::vector<SetMeasures>> shuffled(set.rows.size());
    for (std::int64_t draw = 0; set.rows.size() > 1 && draw < options_.n_draws; ++draw) {
      const std::vector<at::Tensor> dealt = shuffle_experts(set, hash64(options_.seed, 1, word(layer), word(draw)));
      for (std::size_t e = 0; e < dealt.size(); ++e) shuffled[e].push_back(measure_set(dealt[e], density[e]));
    }
    for (std::size_t e = 0; e < set.rows.size(); ++e) {
      add(layer, e, set.name, kModel, measure_set(set.rows[e], density[e]), 0);
      add_random(layer, e, set.name, set.rows[e], density[e]);
      if (!shuffled[e].empty()) add(layer, e, set.name, kShuffled, mean_of(shuffled[e]), 0);
    }
  }

  void measure_text(std::int64_t layer, std::size_t e, const std::string& name, const ClassSums& sums,
                    const std::vector<double>& density) {
    for (const bool rotated : {false, true}) {
      const ClassRows rows = class_rows(sums, options_.least_tokens, rotated);
      std::vector<double> kept;
      for (const std::int32_t c : rows.class_idx) kept.push_back(density[index(c)]);
      const auto n_left_out = static_cast<std::int64_t>(density.size() - kept.size());
      add(layer, e, name, rotated ? kRotated : kModel, measure_set(rows.rows, kept), n_left_out);
      if (!rotated) add_random(layer, e, name, rows.rows, kept);
    }
  }

 private:
  void add_random(std::int64_t layer, std::size_t e, const std::string& name, const at::Tensor& rows,
                  const std::vector<double>& density) {
    if (rows.size(0) == 0) return;
    std::vector<SetMeasures> draws;
    for (std::int64_t draw = 0; draw < options_.n_draws; ++draw) {
      const std::uint64_t seed = hash64(hash64(options_.seed, 2, word(draw)), word(layer), e);
      draws.push_back(measure_set(random_directions(rows, seed), density));
    }
    add(layer, e, name, kRandom, mean_of(draws), 0);
  }

  void add(std::int64_t layer, std::size_t e, const std::string& name, const char* variant, const SetMeasures& measures,
           std::int64_t n_left_out) {
    rows_.push_back(
        {layer, static_cast<std::int64_t>(e), shares_[index(layer)][e], name, variant, measures, n_left_out});
  }

  const SuperposeOptions& options_;
  const Shares& shares_;
  std::vector<ExpertRow>& rows_;
};

// How much denser each class is among an expert's tokens than over all experts of the layer: P(class | e) / P(class).
// 0 for classes without any token.
std::vector<std::vector<double>> densities(const ClassMeans& means, std::int64_t layer, std::int64_t n_experts,
                                           bool next) {
  const std::size_t n_classes = means.of(layer, 0).n.size();
  std::vector<double> all(n_classes, 0);
  double n_all = 0;
  for (std::int64_t e = 0; e < n_experts; ++e) {
    const ClassSums& sums = means.of(layer, e);
    const std::vector<std::int64_t>& n = next ? sums.n_next : sums.n;
    for (std::size_t c = 0; c < n_classes; ++c) all[c] += static_cast<double>(n[c]);
    n_all += static_cast<double>(sums.n_tokens);
  }
  std::vector<std::vector<double>> density(index(n_experts), std::vector<double>(n_classes, 0));
  for (std::int64_t e = 0; e < n_experts; ++e) {
    const ClassSums& sums = means.of(layer, e);
    const std::vector<std::int64_t>& n = next ? sums.n_next : sums.n;
    for (std::size_t c = 0; c < n_classes && sums.n_tokens > 0; ++c) {
      if (all[c] == 0) continue;
      const double here = static_cast<double>(n[c]) / static_cast<double>(sums.n_tokens);
      density[index(e)][c] = here / (all[c] / n_all);
    }
  }
  return density;
}

std::vector<std::int64_t> random_tokens(std::int64_t d_vocab, std::int64_t n, std::uint64_t seed) {
  const at::Tensor order = random_order(d_vocab, hash64(seed, 3));
  const auto* id = order.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> ids(id, id + std::min(n, d_vocab));
  std::sort(ids.begin(), ids.end());
  return ids;
}

// What one call works on.
struct Inputs {
  const SuperposeOptions& options;
  const model::Checkpoint& checkpoint;
  at::Device device;
  std::unique_ptr<Pass> text, concepts;
};

std::vector<ExpertRow> measure_all(const Inputs& inputs, const Shares& shares, const Console& console) {
  const SuperposeOptions& options = inputs.options;
  const model::ModelConfig& config = inputs.checkpoint.config();
  const std::vector<std::int64_t> token_ids =
      inputs.text ? inputs.text->class_token_ids : random_tokens(config.d_vocab, options.n_features, options.seed);
  const TokenDirections directions =
      token_directions(inputs.checkpoint.embeddings(at::kFloat, inputs.device), token_ids);
  std::vector<ExpertRow> rows;
  Measurer measurer(options, shares, rows);
  for (std::int64_t layer = 0; layer < config.n_layers; ++layer) {
    console.status(fmt::format("measuring layer {} of {}", layer + 1, config.n_layers));
    const std::int64_t n_experts = config.n_experts(layer);
    const std::vector<std::vector<double>> none(index(n_experts));
    std::vector<std::vector<double>> token = none, next = none;
    if (inputs.text) {
      token = densities(*inputs.text->means, layer, n_experts, false);
      next = densities(*inputs.text->means, layer, n_experts, true);
    }
    const model::LayerWeights weights = inputs.checkpoint.layer(layer, at::kFloat, inputs.device);
    for (const LayerSet& set : weight_sets(config, weights, directions)) {
      throw_if_interrupted("nothing was written; the same command starts again");
      using Density = LayerSet::Density;
      measurer.measure(layer, set,
                       set.density == Density::kToken       ? token
                       : set.density == Density::kNextToken ? next
                                                            : none);
    }
    for (std::int64_t e = 0; e < n_experts; ++e) {
      if (inputs.text) {
        measurer.measure_text(layer, index(e), "tokens_active", inputs.text->means->of(layer, e), token[index(e)]);
      }
      if (inputs.concepts) {
        const ClassMeans& means = *inputs.concepts->means;
        measurer.measure_text(layer, index(e), "concepts_active", means.of(layer, e),
                              densities(means, layer, n_experts, false)[index(e)]);
      }
    }
    inputs.checkpoint.drop_layer(layer);
  }
  console.status("");
  return rows;
}

json settings_json(const SuperposeOptions& options) {
  return {{"model", options.model},
          {"corpus", options.corpus},
          {"out", options.out.string()},
          {"run", options.run.string()},
          {"probes", options.probes.string()},
          {"tokens", options.n_tokens},
          {"context", options.context},
          {"features", options.n_features},
          {"least_tokens", options.least_tokens},
          {"draws", options.n_draws},
          {"resamples", options.n_resamples},
          {"seed", options.seed},
          {"device", options.device},
          {"dtype", options.dtype},
          {"memory_bytes", options.memory_bytes},
          {"threads", options.n_threads}};
}

// Runs that others are read from are known by the identities that stand in them, a corpus by its path.
json identity_json(const SuperposeOptions& options, const std::string& model_hash) {
  json settings = settings_json(options);
  for (const char* key : {"model", "out", "device", "memory_bytes", "threads"}) settings.erase(key);
  return run::make_identity("superpose", std::move(settings), {{"model", model_hash}});
}

run::SuperposeRun superpose_run(const Inputs& inputs, const json& identity, const std::string& use, double seconds) {
  const SuperposeOptions& options = inputs.options;
  run::SuperposeRun run;
  run.head = run::make_head("superpose", options.invocation, settings_json(options), identity);
  run.head.seconds = seconds;
  if (inputs.checkpoint.config().d_shared > 0) {
    run.head.skipped.push_back({"shared experts", std::nullopt, "only routed experts are measured"});
  }
  run.model = record::model_part(inputs.checkpoint, options.model, identity.at("model_hash"));
  run.use = use;
  if (inputs.text) run.text = inputs.text->facts;
  if (inputs.concepts) run.concepts = inputs.concepts->facts;
  return run;
}

}  // namespace

SuperposeResult superpose(const SuperposeOptions& options, const Console& console) {
  check(options);
  const auto start = std::chrono::steady_clock::now();
  engine::set_threads(options.n_threads);
  const c10::InferenceMode inference(true);
  const at::Device device = engine::parse_device(options.device);
  const io::CheckpointFolder folder = io::find_checkpoint(options.model);
  const model::Checkpoint checkpoint = model::Checkpoint::open(folder);
  const model::ModelConfig& config = checkpoint.config();
  const engine::EngineOptions engine_options = {
      device, engine::choose_dtype(options.dtype, checkpoint.stored_dtype(), device), options.memory_bytes, 0, 0};
  run::create_run_directory(options.out);
  console.status("hashing the model");
  const std::string model_hash = io::checkpoint_hash(folder);
  const json identity = identity_json(options, model_hash);
  const auto directory = run::RunDirectory::open(options.out, identity);
  if (directory.standing() == run::RunDirectory::Standing::kComplete) {
    console.line(fmt::format("{}: the measures are complete, nothing to run", options.out.string()));
    if (options.last_step) run::finish_step(options.out);
    return {true, {}, run::read_table<run::SuperpositionSummaryRow>(options.out / "summary.csv"), directory.run()};
  }
  Inputs inputs{options, checkpoint, device, nullptr, nullptr};
  if (!options.corpus.empty()) {
    inputs.text = text_pass(
        checkpoint,
        {options.corpus, options.n_tokens, options.context, options.n_features, options.seed, options.n_threads},
        engine_options, console);
  }
  if (!options.probes.empty()) {
    inputs.concepts = probe_pass(checkpoint, options.probes, model_hash, options.seed, engine_options, console);
  }
  const Shares shares = inputs.text            ? shares_of(*inputs.text->means, config)
                        : !options.run.empty() ? shares_of_run(options.run, config, model_hash)
                        : inputs.concepts      ? shares_of(*inputs.concepts->means, config)
                                               : equal_shares(config);
  const std::string use = inputs.text            ? "the corpus"
                          : !options.run.empty() ? "the recorded run"
                          : inputs.concepts      ? "the windows of the probe run"
                                                 : "not known: all experts alike";
  SuperposeResult result;
  result.experts = measure_all(inputs, shares, console);
  result.summaries = summarize(result.experts, options.n_resamples, options.seed);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  directory.begin();
  directory.claim();
  run::write_table(options.out, "superposition", expert_rows(result.experts, config));
  run::write_table(options.out, "summary", result.summaries);
  const run::Json run = run::to_json(superpose_run(inputs, identity, use, seconds));
  directory.finish(run, options.last_step);
  result.run = run;
  return result;
}

std::string describe(const SuperposeResult& result) {
  std::string text =
      fmt::format("use of experts: {}\n{:<17} {:<18} {:>24} {:>24} {:>12}\n", result.run["use"].get<std::string>(),
                  "features", "variant", "mean dimensionality", "per effective dimension", "density rank");
  std::vector<std::pair<std::string, std::string>> seen;
  const auto cell = [&](const std::string& set, const std::string& variant, Measure measure) {
    for (const run::SuperpositionSummaryRow& summary : result.summaries) {
      if (summary.layer || summary.against || summary.set != set || summary.variant != variant ||
          summary.measure != measure_word(measure)) {
        continue;
      }
      if (!summary.low) return fmt::format("{:.3f}", summary.value);
      return fmt::format("{:.3f} [{:.3f}, {:.3f}]", summary.value, *summary.low, *summary.high);
    }
    return std::string("-");
  };
  for (const run::SuperpositionSummaryRow& summary : result.summaries) {
    const std::pair<std::string, std::string> place(summary.set, summary.variant);
    if (summary.layer || summary.against || std::find(seen.begin(), seen.end(), place) != seen.end()) continue;
    seen.push_back(place);
    text += fmt::format("{:<17} {:<18} {:>24} {:>24} {:>12}\n", summary.set, summary.variant,
                        cell(summary.set, summary.variant, Measure::kMeanDimensionality),
                        cell(summary.set, summary.variant, Measure::kRepresentedPerEffectiveDim),
                        cell(summary.set, summary.variant, Measure::kDensityRank));
  }
  return text;
}

}  // namespace moescope::analysis::superpose
