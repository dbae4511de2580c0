#include "moescope/report/compare/compare.h"

#include <algorithm>
#include <set>
#include <span>

#include "moescope/base/error.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/file.h"
#include "moescope/io/option_json.h"
#include "moescope/report/compare/figures.h"
#include "moescope/report/compare/tables.h"
#include "moescope/run/run_directory.h"

namespace moescope::report {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// "NAME=PATH"; a path that exists as it stands is a path, whatever it holds.
std::pair<std::string, fs::path> split_input(const std::string& input) {
  const std::size_t equals = input.find('=');
  if (equals == std::string::npos || equals == 0 || fs::exists(input)) return {"", input};
  return {input.substr(0, equals), input.substr(equals + 1)};
}

std::optional<double> number_at(const json& object, const char* outer, const char* inner) {
  const auto found = object.find(outer);
  if (found == object.end() || !found->is_object() || !found->contains(inner)) return std::nullopt;
  const json& value = (*found)[inner];
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

std::string default_name(const fs::path& path) {
  fs::path base = fs::weakly_canonical(path);
  if (!base.has_filename()) base = base.parent_path();
  return fs::is_directory(path) ? base.filename().string() : io::unpacked_name(base).stem().string();
}

json estimate_json(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value},
          {"low", estimate->interval.low},
          {"high", estimate->interval.high},
          {"n_concepts", estimate->n}};
}

json optional_json(const std::optional<double>& value) { return value ? json(*value) : json(); }

json model_json(const ComparedModel& model, const std::vector<ModelMeasure>& measures) {
  json of_model = {{"name", model.name},
                   {"is_dense", model.table.is_dense},
                   {"n_layers", model.table.layers.size()},
                   {"n_experts", *std::max_element(model.table.n_experts.begin(), model.table.n_experts.end())},
                   {"n_concepts", model.table.concepts.size()},
                   {"n_probes", model.table.n_rows},
                   {"n_not_fitted", model.table.n_missing},
                   {"active_frac", optional_json(model.active_frac)},
                   {"mean_active_neurons", optional_json(model.mean_active_neurons)},
                   {"measures", json::object()}};
  for (const ModelMeasure& row : measures) {
    of_model["measures"][row.measure][std::to_string(row.k)] = estimate_json(row.estimate);
  }
  return of_model;
}

std::string describe_model(const json& model) {
  const std::string kind = model["is_dense"].get<bool>()
                               ? "one dense block"
                               : fmt::format("{} experts", model["n_experts"].get<std::int64_t>());
  std::string text = fmt::format(
      "{} ({} layers of {}, {} concepts, {} of {} probes not fitted)\n", model["name"].get<std::string>(),
      model["n_layers"].get<std::int64_t>(), kind, model["n_concepts"].get<std::int64_t>(),
      with_thousands(model["n_not_fitted"].get<std::int64_t>()), with_thousands(model["n_probes"].get<std::int64_t>()));
  for (const auto& [measure, by_k] : model["measures"].items()) {
    std::vector<std::pair<int, const json*>> sorted;
    for (const auto& [k, estimate] : by_k.items()) sorted.emplace_back(std::stoi(k), &estimate);
    std::sort(sorted.begin(), sorted.end());
    text += fmt::format("  {:<17}", measure);
    for (const auto& [k, estimate] : sorted) {
      text += estimate->is_null() ? fmt::format("  k={} -", k)
                                  : fmt::format("  k={} {:.3f}", k, (*estimate)["value"].get<double>());
    }
    text += "\n";
  }
  return text;
}

void check(const CompareOptions& options) {
  check_options(options);
  for (const auto& [name, frac] : options.active_fracs) {
    if (!(frac > 0 && frac <= 1)) {
      throw usage_error("{} of '{}' is {}, expected a number above 0 and at most 1", option_name("active-frac"), name,
                        frac);
    }
  }
}

std::vector<ComparedModel> read_models(const CompareOptions& options) {
  std::vector<ComparedModel> models;
  std::set<std::string> names;
  for (const std::filesystem::path& input : options.inputs) {
    models.push_back(read_model(input.string(), options));
    if (!names.insert(models.back().name).second) {
      throw input_error("two models are called '{}'", models.back().name).hint("name them: NAME=PATH");
    }
  }
  for (const auto& [name, frac] : options.active_fracs) {
    if (!names.contains(name)) {
      throw usage_error("{} names '{}', which is none of the models", option_name("active-frac"), name);
    }
  }
  return models;
}

}  // namespace

void CompareOptions::describe(OptionList& list) {
  list.add("inputs", inputs,
           "run directories of `probe` and published CSV files (.gz, .zst); NAME=PATH gives a name; differences are "
           "against the first",
           {.required = true, .positional = true});
  list.add("out", out, "folder for tables and figures", {.required = true, .in_identity = false});
  list.add("k", scatter_k, "of the scatter of concepts and of the experts per concept",
           {.least = 1, .key = "scatter_k"});
  list.add("active-frac", active_fracs, "NAME=SHARE: active / all parameters of a model whose file does not tell");
  list.add("resamples", bootstrap.n_resamples, "of the concepts for intervals", {.least = 100, .most = 100000});
  list.add("seed", bootstrap.seed, "of the resamples");
  list.add("figures", figures, "beside the tables; they need gnuplot");
}

ComparedModel read_model(const std::string& input, const CompareOptions& options) {
  const auto [name, path] = split_input(input);
  ComparedModel model;
  model.name = name.empty() ? default_name(path) : name;
  if (fs::is_directory(path)) {
    const json run = run::read_run_json(path);
    model.table = read_probe_csv(path / "probes.csv");
    model.shared = read_shared_probes(path / "probes.csv");
    model.controls = read_probe_controls(path / "probe_controls.csv");
    const auto n_active = number_at(run, "model", "n_active_parameters"), n = number_at(run, "model", "n_parameters");
    if (n_active && n && *n > 0) model.active_frac = *n_active / *n;
    model.mean_active_neurons = number_at(run, "probe", "mean_active_neurons");
  } else {
    model.table = read_probe_csv(path);
  }
  if (model.table.is_dense) model.active_frac = 1;
  const auto given = options.active_fracs.find(model.name);
  if (given != options.active_fracs.end()) model.active_frac = given->second;
  return model;
}

CompareResult compare(const CompareOptions& options, const Console& console) {
  check(options);
  const std::vector<ComparedModel> models = read_models(options);
  fs::create_directories(options.out);
  CompareResult result;
  json& summary = result.summary;
  summary = {{"schema", 1}, {"models", json::array()}, {"differences", json::array()}};
  summary["settings"] = io::settings_json(options);
  console.status("computing aggregates");
  std::vector<ModelMeasure> measures;
  for (const ComparedModel& model : models) {
    const std::vector<ModelMeasure> of_model = all_measures(model, options);
    summary["models"].push_back(model_json(model, of_model));
    measures.insert(measures.end(), of_model.begin(), of_model.end());
  }
  const std::vector<ModelDifference> differences = all_differences(models, options);
  for (const ModelDifference& row : differences) {
    summary["differences"].push_back({{"model", row.model},
                                      {"against", row.against},
                                      {"measure", row.measure},
                                      {"k", row.k},
                                      {"difference", estimate_json(row.estimate)}});
  }
  const auto write = [&]<typename Row>(const char* name, const std::vector<Row>& rows) {
    io::write_csv(options.out / name, run::to_table(std::span<const Row>(rows)));
    result.files.push_back(options.out / name);
  };
  write("curves.csv", curve_rows(measures));
  write("differences.csv", difference_rows(differences));
  write("concepts.csv", concept_rows(models, options));
  write("experts_per_concept.csv", close_expert_rows(models));
  console.status("");
  const std::vector<plot::Figure> figures = compare_figures(models, measures, options, result.notes);
  summary["notes"] = result.notes;
  io::write_file_atomically(options.out / "compare.json", summary.dump(2) + "\n");
  result.files.push_back(options.out / "compare.json");
  if (!options.figures) return result;
  for (const plot::Figure& figure : figures) {
    console.status("drawing " + figure.name);
    plot::draw(options.out, figure);
    for (const char* kind : {".svg", ".png"}) result.files.push_back(options.out / (figure.name + kind));
  }
  console.status("");
  return result;
}

std::string describe(const ComparedModel& model, const CompareOptions& options) {
  return describe_model(model_json(model, all_measures(model, options)));
}

std::string describe(const CompareResult& result) {
  std::string text = "mean over concepts of best-layer F1\n";
  for (const json& model : result.summary["models"]) text += describe_model(model);
  for (const json& row : result.summary["differences"]) {
    if (row["k"] != 1 || row["difference"].is_null()) continue;
    const json& one = row["difference"];
    text += fmt::format("k=1, {} less {}, {}: {:+.3f} [{:+.3f}, {:+.3f}] over {} concepts\n",
                        row["model"].get<std::string>(), row["against"].get<std::string>(),
                        row["measure"].get<std::string>(), one["value"].get<double>(), one["low"].get<double>(),
                        one["high"].get<double>(), one["n_concepts"].get<std::int64_t>());
  }
  for (const std::string& note : result.notes) text += "note: " + note + "\n";
  return text;
}

}  // namespace moescope::report
