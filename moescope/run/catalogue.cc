#include "moescope/run/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "moescope/run/label_files.h"
#include "moescope/run/probe_files.h"
#include "moescope/run/record_files.h"
#include "moescope/run/record_run.h"
#include "moescope/run/superpose_files.h"
#include "moescope/run/toy_files.h"
#include "moescope/run/train_files.h"

namespace moescope::run {
namespace {

FileAbout plain(const char* name, const char* written_by, const char* what) {
  FileAbout file;
  file.name = name;
  file.written_by = written_by;
  file.what = what;
  return file;
}

template <Described Row>
FileAbout table(const char* name, const char* written_by, const char* what, bool has_parquet = true) {
  FileAbout file = plain(name, written_by, what);
  file.has_parquet = has_parquet;
  file.fields = fields_of<Row>();
  return file;
}

template <Described T>
FileAbout json(const char* name, const char* written_by, const char* what, std::vector<PartAbout> parts = {}) {
  FileAbout file = plain(name, written_by, what);
  file.fields = fields_of<T>();
  file.parts = std::move(parts);
  return file;
}

template <Described T>
PartAbout part(const char* name) {
  return {name, fields_of<T>()};
}

FileAbout tensors(const char* name, const char* written_by, const char* what, const std::vector<TensorAbout>& first,
                  const std::vector<TensorAbout>& second = {}, const std::vector<TensorAbout>& third = {}) {
  FileAbout file = plain(name, written_by, what);
  for (const auto* list : {&first, &second, &third}) {
    file.tensors.insert(file.tensors.end(), list->begin(), list->end());
  }
  return file;
}

void add_record(std::vector<FileAbout>& files) {
  files.push_back(
      json<RecordRun>("run.json", "record", "what was run, with which settings, what was skipped",
                      {part<Skipped>("skipped"), part<ModelPart>("model"), part<TokenizerPart>("tokenizer"),
                       part<RecordCorpusPart>("corpus"), part<WavesPart>("waves"), part<MemoryPart>("memory"),
                       part<MemoryPlanPart>("memory.plan"), part<LossPart>("loss")}));
  files.push_back(json<Vocabulary>("vocabulary.json", "record", "the text of every token id"));
  files.push_back(json<DocumentLine>("documents.jsonl", "record", "one line a document that was run"));
  files.push_back(tensors("trace.safetensors", "record",
                          "the first N tokens of the run, in corpus order, with the routing of every layer l",
                          tensors_of<TraceTokens>(), tensors_of<TraceRouting>("layers.{l}."),
                          tensors_of<TraceShared>("layers.{l}.")));
  files.push_back(table<ExpertRow>("experts.csv", "record", "one row a layer and expert"));
  files.push_back(table<LayerRow>("layers.csv", "record", "one row a layer"));
  files.push_back(table<DomainRow>("domains.csv", "record", "one row a layer, expert and domain"));
  files.push_back(tensors("input_tokens.safetensors", "record", "sparse counts of input token ids by expert",
                          tensors_of<InputTokens>("layers.{l}.")));
  files.push_back(tensors("coactivation.safetensors", "record", "how often two experts were chosen together",
                          tensors_of<Coactivation>("layers.{l}.")));
  files.push_back(tensors("evidence.safetensors", "record",
                          "windows kept for every expert, sorted by layer, expert, kind, descending strength",
                          tensors_of<Evidence>()));
  files.push_back(table<EvidenceRow>("evidence.parquet", "record", "the same windows for people", false));
}

void add_label(std::vector<FileAbout>& files) {
  files.push_back(
      json<LabelLine>("labels.jsonl", "label", "one line an expert, by layer, then expert",
                      {part<LabelRule>("rule"), part<LabelTarget>("target"), part<LabelScore>("scores.rule"),
                       part<LabelDifference>("difference.random_expert"), part<LabelPromotes>("promotes")}));
  files.push_back(json<LabelSummary>("label_summary.json", "label",
                                     "shares of experts that beat the controls, with intervals",
                                     {part<LabelSplit>("split")}));
}

void add_probe(std::vector<FileAbout>& files) {
  files.push_back(
      json<ProbeRun>("run.json", "probe", "as of record",
                     {part<ProbeCorpusPart>("corpus"), part<ConceptPart>("concepts"), part<ProbeCounts>("probe")}));
  files.push_back(
      table<ProbeRow>("probes.csv", "probe", "one row a concept, layer, expert and k: main probes, split 75/25"));
  files.push_back(table<ProbeControlRow>("probe_controls.csv", "probe", "the same of the controls"));
  files.push_back(table<ProbeExpertRow>("probe_experts.csv", "probe", "one row a layer and expert"));
  files.push_back(tensors("probe_samples.safetensors", "probe",
                          "the windows that were run, and one entry a sampled token and concept",
                          tensors_of<ProbeSamples>()));
}

void add_superpose(std::vector<FileAbout>& files) {
  files.push_back(json<SuperposeRun>("run.json", "superpose", "as of record"));
  files.push_back(
      table<SuperpositionRow>("superposition.csv", "superpose", "one row a layer, expert, set and variant"));
  files.push_back(table<SuperpositionSummaryRow>("summary.csv", "superpose", "means over experts"));
}

void add_toy(std::vector<FileAbout>& files) {
  files.push_back(json<ToySweepRun>("run.json", "toy", "as of record"));
  files.push_back(table<InstanceRow>("instances.csv", "toy", "one row a model of the sweep"));
  files.push_back(table<ToyExpertRow>("experts.csv", "toy", "one row a model and expert"));
  files.push_back(table<FeatureRow>("features.csv", "toy", "one row a model, expert and feature; if asked for"));
  files.push_back(table<LossRow>("losses.csv", "toy", "one row a model and step"));
  files.push_back(table<SpecializationRow>("specialization.csv", "toy",
                                           "one row a model and expert, of the experiment of that name"));
  files.push_back(tensors("weights.safetensors", "toy", "of every architecture NAME, after and before training",
                          tensors_of<ToyInstances>("NAME."), tensors_of<ToyWeights>("NAME."),
                          tensors_of<ToyWeights>("NAME.initial.")));
}

void add_train(std::vector<FileAbout>& files) {
  files.push_back(table<TrainRow>("train_log.csv", "train", "one row a step", false));
  files.push_back(
      table<ValidationRow>("validation_log.csv", "train", "one row a measurement on held-out documents", false));
}

std::vector<FileAbout> list_files() {
  std::vector<FileAbout> files;
  add_record(files);
  add_label(files);
  files.push_back(plain("report.html", "report", "one page, no network"));
  add_probe(files);
  add_superpose(files);
  add_toy(files);
  add_train(files);
  return files;
}

std::string parquet_name(const std::string& name) { return name.substr(0, name.rfind('.')) + ".parquet"; }

}  // namespace

const std::vector<FileAbout>& all_files() {
  static const std::vector<FileAbout> files = list_files();
  return files;
}

bool belongs_to_a_run(const std::string& name) {
  static const std::set<std::string> names = [] {
    std::set<std::string> all = {"DONE", "resume"};
    for (const FileAbout& file : all_files()) {
      all.insert(file.name);
      if (file.has_parquet) all.insert(parquet_name(file.name));
    }
    return all;
  }();
  constexpr std::string_view kTemporary = ".tmp";
  return names.contains(name.ends_with(kTemporary) ? name.substr(0, name.size() - kTemporary.size()) : name);
}

}  // namespace moescope::run
