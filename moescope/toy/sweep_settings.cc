#include <CLI/CLI.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"
#include "moescope/toy/sweep.h"

namespace moescope::toy {
namespace {

using Values = std::vector<std::string>;
using Setter = std::function<void(const Values&)>;
using Setters = std::map<std::string, Setter>;

constexpr std::size_t kMaxListed = 100'000;

const std::string& single(const Values& values) {
  if (values.size() != 1) throw input_error("expected one value, got {}", values.size());
  return values.front();
}

void parse(const std::string& text, std::string& value) { value = text; }

void parse(const std::string& text, std::int64_t& value) {
  std::size_t end = 0;
  try {
    value = std::stoll(text, &end);
  } catch (const std::logic_error&) {
    end = 0;
  }
  if (end == 0 || end != text.size()) throw input_error("'{}' is not a whole number", text);
}

void parse(const std::string& text, double& value) {
  std::size_t end = 0;
  try {
    value = std::stod(text, &end);
  } catch (const std::logic_error&) {
    end = 0;
  }
  if (end == 0 || end != text.size()) throw input_error("'{}' is not a number", text);
}

void parse(const std::string& text, bool& value) {
  if (text != "true" && text != "false") throw input_error("'{}' is neither true nor false", text);
  value = text == "true";
}

template <typename Value>
Setter into(Value& value) {
  return [&value](const Values& values) { parse(single(values), value); };
}

template <typename Enum>
Setter word_into(Enum& value) {
  return [&value](const Values& values) { parse_word(single(values), value); };
}

Setter list_into(std::vector<double>& list) {
  return [&list](const Values& values) {
    if (values.size() > kMaxListed) throw input_error("{} values, at most {}", values.size(), kMaxListed);
    list.assign(values.size(), 0);
    for (std::size_t i = 0; i < values.size(); ++i) parse(values[i], list[i]);
  };
}

// [first, last, n]: n evenly spaced values, rounded to twelve decimals so that 0.3 is 0.3.
Setter range_into(std::vector<double>& list) {
  return [&list](const Values& values) {
    if (values.size() != 3) throw input_error("expected [first, last, number of values]");
    double first = 0, last = 0;
    std::int64_t n = 0;
    parse(values[0], first);
    parse(values[1], last);
    parse(values[2], n);
    if (n < 2 || n > static_cast<std::int64_t>(kMaxListed)) {
      throw input_error("{} values, expected 2 to {}", n, kMaxListed);
    }
    list.clear();
    for (std::int64_t i = 0; i < n; ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(n - 1);
      list.push_back(std::round((first + (last - first) * share) * 1e12) / 1e12);
    }
  };
}

// What an [[architecture]] may say; the same keys before the first of them are defaults for all.
Setters architecture_setters(SweepArchitecture& target) {
  Architecture& a = target.architecture;
  Training& t = target.training;
  return {{"n_features", into(a.n_features)},
          {"n_dims", into(a.n_dims)},
          {"n_experts", into(a.n_experts)},
          {"n_active", into(a.n_active)},
          {"n_top_activations", into(a.n_top_activations)},
          {"gate", word_into(a.gate)},
          {"ties", word_into(a.ties)},
          {"bias_init", word_into(a.bias_init)},
          {"weight_init", word_into(a.weight_init)},
          {"gate_init", word_into(a.gate_init)},
          {"group_size", into(a.group_size)},
          {"group_correlation", into(a.group_correlation)},
          {"steps", into(t.n_steps)},
          {"batch", into(t.batch)},
          {"lr", into(t.lr)},
          {"beta1", into(t.beta1)},
          {"beta2", into(t.beta2)},
          {"eps", into(t.eps)},
          {"weight_decay", into(t.weight_decay)},
          {"loss", word_into(t.loss)},
          {"balance_coef", into(t.balance_coef)}};
}

Setters sweep_setters(SweepSettings& s) {
  return {{"experiment", into(s.experiment)},
          {"densities", list_into(s.densities)},
          {"density_range", range_into(s.densities)},
          {"importance", word_into(s.importance)},
          {"importance_ratio", into(s.importance_ratio)},
          {"importance_last", list_into(s.importance_last)},
          {"importance_last_range", range_into(s.importance_last)},
          {"importance_values", list_into(s.importance_values)},
          {"seeds", into(s.n_seeds)},
          {"seed", into(s.seed)},
          {"eval_samples", into(s.evaluation.n_samples)},
          {"eval_density", into(s.evaluation.density)},
          {"loss_every", into(s.loss_every)},
          {"write_features", into(s.write_features)}};
}

// One pass over the file: every key once, every key known.
class Reader {
 public:
  SweepSettings read(const std::vector<CLI::ConfigItem>& items) {
    for (const CLI::ConfigItem& item : items) take(item);
    if (settings_.architectures.empty()) throw input_error("no [[architecture]]");
    return settings_;
  }

 private:
  void take(const CLI::ConfigItem& item) {
    const bool in_architecture = item.parents == std::vector<std::string>{"architecture"};
    if (!item.parents.empty() && !in_architecture) throw input_error("the table '{}' is unknown", item.parents.front());
    if (item.name == "--") return;
    if (item.name == "++") {
      settings_.architectures.push_back(defaults_);
      seen_.clear();
      return;
    }
    if (!seen_.insert(item.name).second) throw input_error("the key '{}' stands twice", item.name);
    SweepArchitecture& target = in_architecture ? settings_.architectures.back() : defaults_;
    Setters known = architecture_setters(target);
    if (in_architecture) {
      known.emplace("name", into(target.architecture.name));
    } else {
      known.merge(sweep_setters(settings_));
    }
    const auto found = known.find(item.name);
    if (found == known.end()) {
      throw input_error("'{}' is not a setting{}", item.name, in_architecture ? " of an architecture" : " of a sweep")
          .hint("docs/toy.md lists them");
    }
    try {
      found->second(item.inputs);
    } catch (const Error& error) {
      throw error.at(item.name);
    }
  }

  SweepSettings settings_;
  SweepArchitecture defaults_;
  std::set<std::string> seen_;
};

}  // namespace

const char* word_of(ImportanceKind kind) {
  switch (kind) {
    case ImportanceKind::kOnes: return "ones";
    case ImportanceKind::kLast: return "last";
    case ImportanceKind::kGeometric: return "geometric";
    case ImportanceKind::kShuffledGeometric: return "shuffled_geometric";
    case ImportanceKind::kValues: return "values";
  }
  return "";
}

void parse_word(const std::string& word, ImportanceKind& kind) {
  for (const ImportanceKind known : {ImportanceKind::kOnes, ImportanceKind::kLast, ImportanceKind::kGeometric,
                                     ImportanceKind::kShuffledGeometric, ImportanceKind::kValues}) {
    if (word == word_of(known)) {
      kind = known;
      return;
    }
  }
  throw input_error("'{}' is unknown; one of: ones, last, geometric, shuffled_geometric, values", word);
}

SweepSettings read_sweep_settings(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) throw input_error("{}: no such settings file", path.string());
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path.string());
  } catch (const CLI::Error& error) {
    throw input_error("{}: {}", path.string(), error.what());
  }
  try {
    SweepSettings settings = Reader().read(items);
    check(settings);
    return settings;
  } catch (const Error& error) {
    throw error.at(path.string());
  }
}

nlohmann::json to_json(const SweepSettings& s) {
  nlohmann::json architectures = nlohmann::json::array();
  for (const SweepArchitecture& each : s.architectures) {
    nlohmann::json json = to_json(each.architecture);
    json.update(to_json(each.training));
    architectures.push_back(json);
  }
  return {{"experiment", s.experiment},
          {"architectures", architectures},
          {"densities", s.densities},
          {"importance", word_of(s.importance)},
          {"importance_ratio", s.importance_ratio},
          {"importance_last", s.importance_last},
          {"importance_values", s.importance_values},
          {"seeds", s.n_seeds},
          {"seed", s.seed},
          {"eval_samples", s.evaluation.n_samples},
          {"eval_density", s.evaluation.density},
          {"loss_every", s.loss_every},
          {"write_features", s.write_features}};
}

}  // namespace moescope::toy
