// The files of SyntheticRun (synthetic_run.h, which includes this). Tables are written here by hand and not by the
// library's writers, so that the readers are tested against another hand.
#pragma once

#include "tests/report/run/synthetic_run.h"

namespace moescope::report::testing {

inline nlohmann::json SyntheticRun::run_json() const {
  const int k = options_.n_experts_per_token;
  return {{"schema", 1},
          {"tool_version", "0.1.0"},
          {"command", "moescope record synthetic-moe corpus.jsonl --out run"},
          {"settings",
           {{"window", options_.n_window_tokens},
            {"n_windows", options_.n_windows_per_kind},
            {"memory", "4 GB"},
            {"batch", {{"tokens", 8192}}}}},
          {"model",
           {{"name", options_.model_name},
            {"family", "olmoe"},
            {"n_layers", options_.n_layers},
            {"n_experts", options_.n_experts},
            {"n_experts_per_token", k},
            {"d_model", 2048},
            {"d_expert", 1024},
            {"d_vocab", pieces_.size()},
            {"n_parameters", 6919161856},
            {"n_active_parameters", 1282019328},
            {"dtype", "bf16"},
            {"hash", "0123456789abcdef0123456789abcdef"}}},
          {"tokenizer", {{"hash", "fedcba9876543210fedcba9876543210"}}},
          {"corpus",
           {{"name", "corpus.jsonl"},
            {"hash", "00112233445566778899aabbccddeeff"},
            {"files", {"corpus.jsonl"}},
            {"n_documents", options_.n_documents},
            {"n_empty", 3},
            {"n_replaced_bytes", 17},
            {"n_tokens_available", n_run() + 100},
            {"n_tokens_run", n_run()}}},
          {"device", "cpu"},
          {"seed", options_.seed},
          {"window", options_.n_window_tokens},
          {"context", 512},
          {"n_traced", 0},
          {"waves", {{"n", 4}, {"tokens", 65536}}},
          {"memory", {{"budget_bytes", 8000000000}, {"peak_bytes", 6512345678}}},
          {"seconds", 412.5},
          {"tokens_per_s", 5123.4},
          {"loss", {{"mean_nats", 2.4131}, {"perplexity", 11.168}, {"n", n_run() - options_.n_documents}}},
          {"skipped",
           {{{"what", "documents"}, {"n", 3}, {"why", "empty"}},
            {{"what", "tokens"}, {"n", 100}, {"why", "behind --max-tokens"}}}}};
}

inline void SyntheticRun::write_tables(const std::filesystem::path& folder) const {
  std::ofstream experts(folder / "experts.csv"), layers(folder / "layers.csv"), domains(folder / "domains.csv");
  experts << "layer,expert,n_tokens,load_frac,mean_weight,mean_score,mean_output_norm,active_neuron_frac,active_neuron_"
             "frac_01,n_windows,status\n";
  layers << "layer,n_tokens,router_entropy_bits,router_margin,load_entropy_bits,load_max_over_mean,n_never_used\n";
  domains << "layer,expert,domain,n_tokens,share_of_domain_frac\n";
  const double n_choices = static_cast<double>(n_run()) * options_.n_experts_per_token;
  std::map<std::string, double> domain_sizes;
  for (const SyntheticDocument& d : documents_) domain_sizes[d.domain] += static_cast<double>(d.tokens.size());
  for (int layer = 0; layer < options_.n_layers; ++layer) {
    double entropy = 0, largest = 0;
    int n_never = 0;
    for (int expert = 0; expert < options_.n_experts; ++expert) {
      const std::size_t i = idx(layer, expert);
      const auto n = static_cast<double>(n_tokens_[i]);
      const double load = n / n_choices;
      largest = std::max(largest, load);
      if (n == 0) {
        ++n_never;
        experts << fmt::format("{},{},0,0,,,,,,0,never\n", layer, expert);
        continue;
      }
      entropy -= load * std::log2(load);
      const double norm = sum_score_[i] / sum_weight_[i];
      experts << fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", layer, expert, n_tokens_[i], load,
                             sum_weight_[i] / n, sum_score_[i] / n, norm, 0.35 + 0.3 * drawn_share(layer, expert, 11),
                             0.1 + 0.2 * drawn_share(layer, expert, 12), n_windows_[i],
                             n_windows_[i] < 2 * options_.n_windows_per_kind ? "rare" : "ok");
      for (std::size_t d = 0; d < kDomains.size(); ++d) {
        const std::string domain = kDomains[d];
        const std::int64_t n_domain = domain_tokens_[i][d];
        domains << fmt::format("{},{},{},{},{}\n", layer, expert, domain, n_domain,
                               static_cast<double>(n_domain) / domain_sizes[domain]);
      }
    }
    layers << fmt::format("{},{},{},{},{},{},{}\n", layer, n_run(),
                          std::log2(options_.n_experts) * (0.9 - 0.25 * layer / options_.n_layers), 0.08 + 0.01 * layer,
                          entropy, largest * options_.n_experts, n_never);
  }
}

namespace detail {

template <typename T>
io::TensorToWrite tensor_of(const std::string& name, io::DType dtype, std::vector<std::int64_t> shape,
                            const std::vector<T>& values) {
  return {name, dtype, std::move(shape), std::as_bytes(std::span<const T>(values))};
}

}  // namespace detail

inline void SyntheticRun::write_tensors(const std::filesystem::path& folder) const {
  using enum io::DType;
  using detail::tensor_of;
  const SyntheticEvidence& e = evidence_;
  const auto n = static_cast<std::int64_t>(e.layer.size()), s = std::int64_t{options_.n_window_tokens};
  const std::vector<io::TensorToWrite> evidence = {tensor_of("layer", kI32, {n}, e.layer),
                                                   tensor_of("expert", kI32, {n}, e.expert),
                                                   tensor_of("kind", kI32, {n}, e.kind),
                                                   tensor_of("decile", kI32, {n}, e.decile),
                                                   tensor_of("strength", kF32, {n}, e.strength),
                                                   tensor_of("doc_idx", kI32, {n}, e.doc_idx),
                                                   tensor_of("position", kI32, {n}, e.position),
                                                   tensor_of("length", kI32, {n}, e.length),
                                                   tensor_of("token_ids", kI32, {n, s}, e.token_ids),
                                                   tensor_of("scores", kF32, {n, s}, e.scores),
                                                   tensor_of("strongest", kI32, {n, 5}, e.strongest),
                                                   tensor_of("promoted", kI32, {n, 5, 3}, e.promoted)};
  io::write_safetensors(folder / "evidence.safetensors", evidence);
  io::write_safetensors(folder / "trace.safetensors", std::vector<io::TensorToWrite>{});
  std::vector<io::TensorToWrite> pairs, inputs;
  std::vector<std::vector<std::int32_t>> experts(static_cast<std::size_t>(options_.n_layers)), tokens = experts;
  std::vector<std::vector<std::int64_t>> counts(experts.size());
  for (int layer = 0; layer < options_.n_layers; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    for (int expert = 0; expert < options_.n_experts; ++expert) {
      for (const auto& [token, count] : input_tokens_[idx(layer, expert)]) {
        experts[l].push_back(expert);
        tokens[l].push_back(token);
        counts[l].push_back(count);
      }
    }
    const auto nnz = static_cast<std::int64_t>(counts[l].size());
    const std::string prefix = fmt::format("layers.{}.", layer);
    inputs.push_back(tensor_of(prefix + "expert", kI32, {nnz}, experts[l]));
    inputs.push_back(tensor_of(prefix + "token_id", kI32, {nnz}, tokens[l]));
    inputs.push_back(tensor_of(prefix + "count", kI64, {nnz}, counts[l]));
    pairs.push_back(
        tensor_of(prefix + "coactivation", kI64, {options_.n_experts, options_.n_experts}, coactivation_[l]));
  }
  io::write_safetensors(folder / "input_tokens.safetensors", inputs);
  io::write_safetensors(folder / "coactivation.safetensors", pairs);
}

inline nlohmann::json SyntheticRun::label(int layer, int expert) const {
  using nlohmann::json;
  json out = {{"layer", layer},
              {"expert", expert},
              {"explainer", "embedded"},
              {"random_expert_idx", (expert + 1) % options_.n_experts}};
  const bool too_few = n_tokens_[idx(layer, expert)] < 50;
  if (too_few || drawn_share(layer, expert, 20) < 0.03) {
    for (const char* key : {"label", "short_label", "rule", "target", "difference", "promotes", "beats_both",
                            "beats_most_frequent_tokens", "beats_random_expert"})
      out[key] = nullptr;
    const json none = {{"f1", nullptr}, {"precision", nullptr},  {"recall", nullptr}, {"lift", nullptr},
                       {"n", nullptr},  {"n_positive", nullptr}, {"f1_low", nullptr}, {"f1_high", nullptr}};
    out["scores"] = {{"rule", none}, {"most_frequent_tokens", none}, {"random_expert", none}, {"always", none}};
    out["status"] = too_few ? "too_few" : "no_rule";
    out["random_expert_idx"] = nullptr;
    return out;
  }
  const std::string what = class_name(static_cast<PieceClass>(main_class(layer, expert)));
  const std::string after = class_name(static_cast<PieceClass>((main_class(layer, expert) + 5) % kPieceClasses));
  const double f1 = 0.2 + 0.6 * drawn_share(layer, expert, 21),
               tokens = f1 - 0.25 * drawn_share(layer, expert, 22) + 0.04, random = 0.3 * f1;
  const auto scores = [&](double value, double precision) {
    return json{{"f1", value},
                {"precision", precision},
                {"recall", value * precision / (2 * precision - value)},
                {"lift", precision / 0.015},
                {"n", 118204},
                {"n_positive", 1773},
                {"f1_low", value - 0.03},
                {"f1_high", value + 0.03}};
  };
  const json always = {{"f1", 0.0296}, {"precision", 0.015}, {"recall", 1},     {"lift", 1},
                       {"n", 118204},  {"n_positive", 1773}, {"f1_low", 0.027}, {"f1_high", 0.032}};
  const bool beats_tokens = f1 - tokens > 0.04;
  out["status"] = "ok";
  out["short_label"] = options_.label_text.empty() ? what + " after " + after : options_.label_text;
  out["label"] =
      options_.label_text.empty()
          ? fmt::format(
                "Mostly fires on {} that stand behind {}, about half of the time inside brackets; promotes line ends.",
                what, after)
          : options_.label_text;
  out["rule"] = {
      {"text",
       fmt::format("the token is one of the {} and the one before is one of the {}, or bracket depth is at least 2",
                   what, after)},
      {"terms",
       {{{{"predicate", "class is " + what}, {"negated", false}},
         {{"predicate", "previous class is " + after}, {"negated", false}}},
        {{{"predicate", "bracket depth >= 2"}, {"negated", false}},
         {{"predicate", "inside a comment"}, {"negated", true}}}}}};
  out["target"] = {{"n_positive", 5312}, {"n_left_out", 9120}, {"base_rate_frac", 0.015}};
  out["scores"] = {{"rule", scores(f1, std::min(0.95, f1 + 0.1))},
                   {"most_frequent_tokens", scores(tokens, std::min(0.95, tokens + 0.05))},
                   {"random_expert", scores(random, 0.8 * random)},
                   {"always", always}};
  out["difference"] = {
      {"most_frequent_tokens", {{"mean", f1 - tokens}, {"low", f1 - tokens - 0.04}, {"high", f1 - tokens + 0.04}}},
      {"random_expert", {{"mean", f1 - random}, {"low", f1 - random - 0.05}, {"high", f1 - random + 0.05}}}};
  out["beats_most_frequent_tokens"] = beats_tokens;
  out["most_frequent_tokens"] = {" the", "}", "\n"};
  out["beats_random_expert"] = true;
  out["beats_both"] = beats_tokens;
  out["promotes"] = {
      {"pieces",
       {{{"piece", " the"}, {"lift", 4.2}}, {{"piece", "\n"}, {"lift", 3.1}}, {{"piece", "}"}, {"lift", 2.4}}}},
      {"text", "It promotes determiners and line ends."}};
  out["evidence_rows"] = {0, 1, 2};
  return out;
}

inline void SyntheticRun::write_labels(const std::filesystem::path& folder) const {
  using nlohmann::json;
  std::ofstream lines(folder / "labels.jsonl");
  const auto share = [](double n_true, double n) {
    const double p = n_true / n, half = 1.96 * std::sqrt(p * (1 - p) / n);
    return json{{"value", p}, {"low", std::max(0.0, p - half)}, {"high", std::min(1.0, p + half)}, {"n", n}};
  };
  double n_labelled = 0, n_both = 0, sum_f1 = 0, sum_tokens = 0, sum_random = 0;
  json layers = json::array();
  for (int layer = 0; layer < options_.n_layers; ++layer) {
    double n = 0, both = 0;
    for (int expert = 0; expert < options_.n_experts; ++expert) {
      const json line = label(layer, expert);
      lines << line.dump(-1, ' ', false, json::error_handler_t::replace) << "\n";
      if (line["status"] != "ok") continue;
      n += 1;
      both += line["beats_both"].get<bool>() ? 1 : 0;
      sum_f1 += line["scores"]["rule"]["f1"].get<double>();
      sum_tokens += line["scores"]["most_frequent_tokens"]["f1"].get<double>();
      sum_random += line["scores"]["random_expert"]["f1"].get<double>();
    }
    n_labelled += n;
    n_both += both;
    layers.push_back({{"layer", layer}, {"beats_both_frac", share(both, n)}});
  }
  const auto mean = [&](double sum) {
    return json{{"value", sum / n_labelled},
                {"low", sum / n_labelled - 0.012},
                {"high", sum / n_labelled + 0.012},
                {"n", n_labelled}};
  };
  std::ofstream(folder / "label_summary.json") << json{
      {"n_experts", options_.n_layers * options_.n_experts},
      {"n_labelled", n_labelled},
      {"beats_both_frac", share(n_both, n_labelled)},
      {"beats_most_frequent_tokens_frac", share(n_both, n_labelled)},
      {"beats_random_expert_frac", share(n_labelled, n_labelled)},
      {"layers", layers},
      {"mean_f1",
       {{"rule", mean(sum_f1)},
        {"most_frequent_tokens", mean(sum_tokens)},
        {"random_expert", mean(sum_random)},
        {"always", mean(0.0296 * n_labelled)}}},
      {"settings", {{"max_terms", 3}, {"beam", 12}}},
      {"split",
       {{"unit", "document"},
        {"n_explain", {{"units", 150}, {"tokens", 60000}}},
        {"n_validation", {{"units", 50}, {"tokens", 20000}}},
        {"n_test",
         {{"units", 100}, {"tokens", 40000}}}}}}.dump(1);
}

}  // namespace moescope::report::testing
