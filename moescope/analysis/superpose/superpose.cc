#include "moescope/analysis/superpose/superpose.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "moescope/analysis/superpose/passes.h"
#include "moescope/analysis/superpose/sets.h"
#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/random.h"
#include "moescope/io/option_json.h"
#include "moescope/machine/device.h"
#include "moescope/record/run_parts.h"

namespace moescope::analysis::superpose {

namespace {

using nlohmann::json;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
std::uint64_t word(std::int64_t i) { return static_cast<std::uint64_t>(i); }

void check(const SuperposeOptions& options) {
  check_options(options);
  if (!options.corpus.empty() && !options.run.empty()) {
    throw usage_error("{} and {} both tell how experts are used", option_name("corpus"), option_name("run"))
        .hint("give one of them");
  }
}

// Measures one layer after the other and collects the rows.
class Measurer {
 public:
  Measurer(const SuperposeOptions& options, const Shares& shares, std::vector<MeasuredSet>& rows)
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
  std::vector<MeasuredSet>& rows_;
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
  const engine::OpenedModel& model;
  const SuperposeOptions& options;
  std::unique_ptr<Pass> text, concepts;
};

std::vector<MeasuredSet> measure_all(const Inputs& inputs, const Shares& shares, const Console& console) {
  const SuperposeOptions& options = inputs.options;
  const model::ModelConfig& config = inputs.model.config();
  const std::vector<std::int64_t> token_ids =
      inputs.text ? inputs.text->class_token_ids : random_tokens(config.d_vocab, options.n_features, options.seed);
  const TokenDirections directions =
      token_directions(inputs.model.checkpoint().embeddings(at::kFloat, inputs.model.device()), token_ids);
  std::vector<MeasuredSet> rows;
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
    const model::LayerWeights weights = inputs.model.checkpoint().layer(layer, at::kFloat, inputs.model.device());
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
    inputs.model.checkpoint().drop_layer(layer);
  }
  console.status("");
  return rows;
}

json settings_json(const engine::OpenedModel& model, const SuperposeOptions& options, io::OptionChoice which) {
  json settings = io::settings_json(options, which);
  settings.update(io::settings_json(model.choice(), which));
  settings.update(io::settings_json(model.machine(), which));
  settings["dtype"] = machine::dtype_word(model.dtype());
  return settings;
}

// Runs that others are read from are known by the identities that stand in them, a corpus by its path.
json identity_json(const engine::OpenedModel& model, const SuperposeOptions& options) {
  return run::make_identity("superpose", settings_json(model, options, io::OptionChoice::kIdentity),
                            {{"model", model.model_hash()}});
}

run::SuperposeRun superpose_run(const Inputs& inputs, const json& identity, const std::string& use, double seconds) {
  const engine::OpenedModel& model = inputs.model;
  run::SuperposeRun run;
  run.head = run::make_head("superpose", inputs.options.invocation,
                            settings_json(model, inputs.options, io::OptionChoice::kAll), identity);
  run.head.seconds = seconds;
  if (model.config().d_shared > 0) {
    run.head.skipped.push_back({"shared experts", std::nullopt, "only routed experts are measured"});
  }
  run.model = record::model_part(model.checkpoint(), model.choice().model, model.model_hash());
  run.use = use;
  if (inputs.text) run.text = inputs.text->facts;
  if (inputs.concepts) run.concepts = inputs.concepts->facts;
  return run;
}

}  // namespace

void SuperposeOptions::describe(OptionList& list) {
  list.add("corpus", corpus, "documents: file, folder or `system`; tells how experts are used and gives token features",
           {.positional = true});
  list.add("out", out, "folder for tables and figures", {.required = true, .in_identity = false});
  list.add("run", run, "run directory of `record`: the use of experts, without a pass");
  list.add("probes", probes, "run directory of `probe`: concepts as features");
  corpus_options.describe(list);
  list.add("tokens", n_tokens, "of the corpus; 0: all", {.unit = "tokens", .least = 0});
  list.add("context", context, "tokens that the model sees together", {.unit = "tokens", .least = 2});
  list.group("Measures");
  list.add("features", n_features,
           "token features: the most frequent tokens of the corpus, random ones without a corpus", {.least = 2});
  list.add("least-tokens", least_tokens, "fewer tokens of a class in an expert: no direction from text", {.least = 1});
  list.add("draws", n_draws, "of each null model", {.least = 1});
  list.add("resamples", n_resamples, "of the experts for intervals", {.least = 100, .most = 100000});
  list.add("seed", seed, "of samples and null models");
}

SuperposeResult superpose(const engine::OpenedModel& model, const SuperposeOptions& options, const Console& console) {
  check(options);
  const auto start = std::chrono::steady_clock::now();
  const c10::InferenceMode inference(true);
  const model::ModelConfig& config = model.config();
  run::create_run_directory(options.out);
  console.status("hashing the model");
  const std::string& model_hash = model.model_hash();
  const json identity = identity_json(model, options);
  const auto directory = run::RunDirectory::open(options.out, identity);
  if (directory.standing() == run::RunDirectory::Standing::kComplete) {
    console.line(fmt::format("{}: the measures are complete, nothing to run", options.out.string()));
    if (options.last_step) run::finish_step(options.out);
    return {true, {}, run::read_table<run::SuperpositionSummaryRow>(options.out / "summary.csv"), directory.run()};
  }
  Inputs inputs{model, options, nullptr, nullptr};
  if (!options.corpus.empty()) {
    inputs.text = text_pass(
        model,
        {options.corpus, options.corpus_options, options.n_tokens, options.context, options.n_features, options.seed},
        console);
  }
  if (!options.probes.empty()) inputs.concepts = probe_pass(model, options.probes, options.seed, console);
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
