#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/option_json.h"
#include "moescope/io/settings_file.h"
#include "moescope/toy/sweep.h"

namespace moescope::toy {
namespace {

constexpr std::int64_t kMaxListed = 100'000;

// [first, last, n]: n evenly spaced values, rounded to twelve decimals so that 0.3 is 0.3.
std::vector<double> evenly_spaced(const OptionValue& range) {
  if (range.items.size() != 3) throw usage_error("expected [first, last, number of values]");
  const double first = real_of(range.items[0]), last = real_of(range.items[1]);
  const std::int64_t n = integer_of(range.items[2], 2, kMaxListed);
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(n - 1);
    values.push_back(std::round((first + (last - first) * share) * 1e12) / 1e12);
  }
  return values;
}

// The values one by one, or as a range.
void add_values(OptionList& list, const char* name, const char* range_name, std::vector<double>& values,
                const char* help, OptionNotes notes) {
  notes.excludes = range_name;
  list.add(name, values, help, std::move(notes));
  list.add_setter(range_name, "the same as [first, last, number of values]", OptionKind::kReal,
                  [&values](const OptionValue& range) { values = evenly_spaced(range); });
}

SweepSettings settings_of(const io::SettingsTable& file) {
  SweepSettings settings;
  SweepArchitecture defaults;
  OptionList on_top("a sweep");
  settings.describe(on_top);
  defaults.describe(on_top);
  file.apply(on_top, {"architecture"});
  on_top.check();
  for (const auto& [name, table] : file.tables) {
    OptionList list = described(settings.architectures.emplace_back(defaults), "an architecture");
    table.apply(list);
  }
  if (settings.architectures.empty()) throw input_error("no [[architecture]]");
  check(settings);
  return settings;
}

}  // namespace

void SweepArchitecture::describe(OptionList& list) {
  architecture.describe(list);
  training.describe(list);
}

void SweepSettings::describe(OptionList& list) {
  list.group("Sweep");
  list.add("experiment", experiment, "whose figures are made", {.words = {kExperiments.begin(), kExperiments.end()}});
  add_values(list, "densities", "density-range", densities, "P(feature is active)", {.above = 0, .most = 1});
  list.add("importance", importance, "of the features");
  list.add("importance-ratio", importance_ratio, "of a feature to the one before, for geometric", {.above = 0});
  add_values(list, "importance-last", "importance-last-range", importance_last, "of the last feature, for last",
             {.least = 0});
  list.add("importance-values", importance_values, "one a feature, for values", {.least = 0});
  list.add("seeds", n_seeds, "models a cell", {.unit = "models", .least = 1});
  list.add("seed", seed, "of everything");
  list.add("loss-every", loss_every, "steps between points of the loss curves", {.unit = "steps", .least = 1});
  list.add("write-features", write_features, "features.csv, one row a model, expert and feature");
  evaluation.describe(list);
}

SweepSettings read_sweep_settings(const std::filesystem::path& path) {
  const io::SettingsTable file = io::read_settings(path);
  try {
    return settings_of(file);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(file.file)) throw;
    const auto as_key = [](std::string name) {
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    };
    throw Error(ErrorKind::kInput, rename_options(error.what(), as_key)).at(file.file);
  }
}

nlohmann::json to_json(const SweepSettings& settings) {
  nlohmann::json json = io::settings_json(settings);
  json["architectures"] = nlohmann::json::array();
  for (const SweepArchitecture& each : settings.architectures) {
    json["architectures"].push_back(io::settings_json(each));
  }
  return json;
}

}  // namespace moescope::toy
