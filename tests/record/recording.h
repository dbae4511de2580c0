// What tests of recordings share: a small model and corpus, reading of tables, and what two equal runs have in common.
#pragma once

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/base/interrupt.h"
#include "moescope/engine/opened_model.h"
#include "moescope/io/documents.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
#include "moescope/record/record.h"
#include "moescope/text/tokenizer.h"
#include "moescope/text/windows.h"
#include "tests/record/tiny_model.h"

namespace moescope::test {

inline constexpr double kScoreBound = 1.3e-4;  // one step of 14 bits: rounding before it may fall on either side

// A model, a corpus and a place for run directories.
class Recording : public ::testing::Test {
 protected:
  explicit Recording(const std::string& fixture = "model/olmoe/plain")
      : model(make_tiny_model(folder.path() / "model", fixture)) {
    at::set_num_threads(1);  // the model is tiny: a second thread only waits
    corpus = make_tiny_corpus(folder.path() / "corpus.jsonl");
  }
  ~Recording() override { set_interrupted(0); }

  record::RecordOptions options(const std::string& name) const {
    record::RecordOptions o;
    o.corpus = corpus.string();
    o.out = folder.path() / name;
    o.context = 24;
    o.window = 8;
    o.n_strongest = 5;
    o.n_reservoir = 40;
    o.n_per_decile = 2;
    o.n_trace_tokens = 500;
    o.seed = 11;
    return o;
  }

  static machine::MachineOptions roomy() {
    machine::MachineOptions machine;
    machine.memory_bytes = 4ull << 30;
    return machine;
  }
  record::RecordSummary recorded(const record::RecordOptions& o,
                                 const machine::MachineOptions& machine = roomy()) const {
    return record::record(engine::OpenedModel::open({model.string()}, machine), o, {});
  }
  // What the recording throws, or "".
  std::string message_of(const record::RecordOptions& o, const machine::MachineOptions& machine = roomy()) const {
    try {
      recorded(o, machine);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  // The corpus as a recording reads it.
  text::TokenCorpus read_corpus(const record::RecordOptions& o) const {
    text::CorpusWindowOptions windows;
    windows.context = o.context;
    windows.window = o.window;
    windows.n_text_tokens = o.n_trace_tokens;
    windows.seed = o.seed;
    const auto reader = io::open_corpus(o.corpus);
    return text::tokenize_corpus(*reader, text::Tokenizer::load(model / "tokenizer.json"), windows);
  }

  TemporaryFolder folder;
  std::filesystem::path model, corpus;
};

template <typename T>
std::vector<T> read(const std::filesystem::path& run, const std::string& file, const std::string& name) {
  return io::SafetensorsFile::open(run / (file + ".safetensors")).at(name).to_vector<T>();
}

inline io::Table read_table(const std::filesystem::path& run, const std::string& name,
                            const std::vector<std::string>& ints, const std::vector<std::string>& reals,
                            const std::vector<std::string>& texts) {
  io::Table like;
  for (const auto& column : ints) like.columns.push_back({column, io::IntColumn()});
  for (const auto& column : reals) like.columns.push_back({column, io::RealColumn()});
  for (const auto& column : texts) like.columns.push_back({column, io::TextColumn()});
  return io::read_csv(run / (name + ".csv"), like);
}

inline io::Table read_experts(const std::filesystem::path& run) {
  const std::vector<std::string> reals = {"load_frac",        "mean_weight",        "mean_score",
                                          "mean_output_norm", "active_neuron_frac", "active_neuron_frac_01"};
  return read_table(run, "experts", {"layer", "expert", "n_tokens", "n_windows"}, reals, {"kind", "status"});
}

inline std::int64_t integer(const io::Table& table, const std::string& column, std::size_t row) {
  return std::get<io::IntColumn>(table.at(column).values).at(row).value();
}
inline double real(const io::Table& table, const std::string& column, std::size_t row) {
  return std::get<io::RealColumn>(table.at(column).values).at(row).value();
}

// Integer results and evidence of two runs are the same; float sums agree to rounding.
inline void expect_same_results(const std::filesystem::path& a, const std::filesystem::path& b) {
  for (const char* file : {"input_tokens", "coactivation"}) {
    EXPECT_EQ(io::read_file(a / (std::string(file) + ".safetensors")),
              io::read_file(b / (std::string(file) + ".safetensors")));
  }
  for (const char* name :
       {"layer", "expert", "kind", "decile", "doc_idx", "position", "length", "token_ids", "strongest", "promoted"}) {
    EXPECT_EQ(read<std::int32_t>(a, "evidence", name), read<std::int32_t>(b, "evidence", name)) << name;
  }
  const auto near = [](const std::vector<float>& x, const std::vector<float>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 2 * kScoreBound * std::abs(y[i]));
  };
  near(read<float>(a, "evidence", "scores"), read<float>(b, "evidence", "scores"));
  for (const int layer : {0, 1, 2}) {
    const std::string prefix = fmt::format("layers.{}.", layer);
    EXPECT_EQ(read<std::int32_t>(a, "trace", prefix + "expert_ids"),
              read<std::int32_t>(b, "trace", prefix + "expert_ids"));
    near(read<float>(a, "trace", prefix + "scores"), read<float>(b, "trace", prefix + "scores"));
  }
  EXPECT_EQ(io::read_file(a / "documents.jsonl"), io::read_file(b / "documents.jsonl"));
}

}  // namespace moescope::test
