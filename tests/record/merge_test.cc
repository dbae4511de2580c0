#include "moescope/record/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/engine/engine.h"
#include "moescope/io/atomic_file.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/record/run_json.h"
#include "moescope/run/run_directory.h"
#include "tests/record/recording.h"

namespace moescope::record {
namespace {

using test::expect_same_results;
using test::Recording;

// A recording cut into ranges of sequences, each run by an engine and a recorder of its own.
class Merging : public Recording {
 protected:
  Merging() : shared_options(options("whole")), corpus_(read_corpus(shared_options)) {
    shared_options.max_wave_tokens = 300;
  }

  std::int64_t n_sequences() const { return static_cast<std::int64_t>(corpus_.sequences.size()); }

  nlohmann::json identity() const { return identity_json({opened_, shared_options, corpus_, 500}); }

  Recorder make_recorder(const std::filesystem::path& run_dir) const {
    const ResumeFolder resume(run_dir);
    std::filesystem::create_directories(resume.path());
    RecorderOptions recorder_options;
    recorder_options.evidence = {shared_options.n_strongest, shared_options.n_reservoir, shared_options.n_per_decile,
                                 shared_options.window, shared_options.seed};
    recorder_options.n_traced = 500;
    return {opened_.config(), corpus_, recorder_options, resume.path()};
  }

  // Runs sequences [begin, end) and keeps their state. Returns the folder and the ends of waves.
  std::filesystem::path run_shard(std::int64_t begin, std::int64_t end, std::vector<std::int64_t>* bounds = nullptr) {
    const std::filesystem::path out = folder.path() / fmt::format("shard{}-{}", begin, end);
    Recorder recorder = make_recorder(out);
    engine::EngineOptions engine_options = opened_.engine_options(shared_options.max_wave_tokens);
    engine_options.range = engine::SequenceRange{begin, end};
    Coverage coverage{begin, begin, 0, 0};
    engine::Engine::Hooks hooks;
    hooks.wave_end = [&](std::int64_t next) {
      coverage.next_sequence = next;
      ++coverage.n_waves;
      if (bounds != nullptr) bounds->push_back(next);
    };
    engine::Engine(opened_.checkpoint(), corpus_, engine_options, {&recorder}).run(begin, hooks);
    ResumeFolder(out).save(recorder, identity(), coverage);
    return out;
  }

  // Merges shards and lets `record` write the tables, as it would behind the last wave of a run of its own.
  RecordOptions finish(const std::vector<std::filesystem::path>& shards, const std::string& name) {
    RecordOptions merged = shared_options;
    merged.out = folder.path() / name;
    Recorder recorder = make_recorder(merged.out);
    const Coverage coverage = merge_shards(shards, identity(), corpus_, recorder);
    EXPECT_EQ(coverage.next_sequence, n_sequences());
    ResumeFolder(merged.out).save(recorder, identity(), coverage);
    EXPECT_TRUE(recorded(merged).resumed);
    return merged;
  }

  std::string refusal(const std::vector<std::filesystem::path>& shards) {
    Recorder recorder = make_recorder(folder.path() / "refused");
    try {
      merge_shards(shards, identity(), corpus_, recorder);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  RecordOptions shared_options;

 private:
  text::TokenCorpus corpus_;
  engine::OpenedModel opened_ = engine::OpenedModel::open({model.string()}, roomy());
};

void expect_equal_files(const std::filesystem::path& a, const std::filesystem::path& b,
                        const std::vector<std::string>& names) {
  for (const std::string& name : names) EXPECT_TRUE(io::read_file(a / name) == io::read_file(b / name)) << name;
}

// Sums in float64 of the same numbers in another order: all are >= 0, so that n terms differ by n 2^-53 at most.
void expect_equal_sums(const std::filesystem::path& a, const std::filesystem::path& b, double n_terms) {
  const auto compare = [&](const io::Table& x, const io::Table& y) {
    for (const io::Column& column : x.columns) {
      const auto* reals = std::get_if<io::RealColumn>(&column.values);
      if (reals == nullptr) {
        EXPECT_TRUE(column.values == y.at(column.name).values) << column.name;
        continue;
      }
      const auto& others = std::get<io::RealColumn>(y.at(column.name).values);
      for (std::size_t row = 0; row < reals->size(); ++row) {
        const double value = reals->at(row).value(), bound = 2 * n_terms * std::ldexp(1.0, -53) * value;
        EXPECT_NEAR(value, others.at(row).value(), bound) << column.name;
      }
    }
  };
  compare(test::read_experts(a), test::read_experts(b));
  const auto layers = [](const std::filesystem::path& run) {
    return test::read_table(run, "layers", {"layer", "n_tokens", "n_never_used"},
                            {"router_entropy_bits", "router_margin", "load_entropy_bits", "load_max_over_mean"}, {});
  };
  compare(layers(a), layers(b));
}

const std::vector<std::string> kExactFiles = {
    "evidence.safetensors", "input_tokens.safetensors", "coactivation.safetensors", "trace.safetensors",
    "domains.csv",          "documents.jsonl",          "vocabulary.json"};

TEST_F(Merging, GivesTheTablesOfTheWholeFromTwoHalves) {
  const nlohmann::json whole = recorded(shared_options).run;
  std::vector<std::int64_t> bounds;
  run_shard(0, n_sequences(), &bounds);
  ASSERT_GE(bounds.size(), 6U);
  const std::int64_t middle = bounds[bounds.size() / 2];  // the end of a wave: the halves' batches are the whole's
  const RecordOptions merged = finish({run_shard(0, middle), run_shard(middle, n_sequences())}, "merged");
  expect_equal_files(shared_options.out, merged.out, kExactFiles);
  const auto n_tokens = whole.at("corpus").at("n_tokens_run").get<double>();
  expect_equal_sums(shared_options.out, merged.out, n_tokens);
  const nlohmann::json run = run::read_run_json(merged.out);
  for (const char* key : {"identity", "n_windows", "n_experts_never", "n_experts_rare", "skipped"}) {
    EXPECT_EQ(run.at(key), whole.at(key)) << key;
  }
  EXPECT_EQ(run.at("waves").at("n"), whole.at("waves").at("n"));
  EXPECT_EQ(run.at("loss").at("n"), whole.at("loss").at("n"));
  EXPECT_NEAR(run.at("loss").at("mean_nats").get<double>(), whole.at("loss").at("mean_nats").get<double>(),
              n_tokens * std::ldexp(1.0, -52));
}

// Bounds inside waves, documents and the traced part: what the model computes differs by rounding, what is kept not.
TEST_F(Merging, GivesTheTablesOfTheWholeFromUnevenThirds) {
  recorded(shared_options);
  const auto shards = {run_shard(0, 7), run_shard(7, 9), run_shard(9, n_sequences())};
  const RecordOptions merged = finish(shards, "merged");
  expect_same_results(shared_options.out, merged.out);
  expect_equal_files(shared_options.out, merged.out, {"domains.csv"});
}

TEST_F(Merging, DoesNotDependOnTheOrderOfShards) {
  std::vector<std::filesystem::path> shards = {run_shard(0, 20), run_shard(20, 31), run_shard(31, n_sequences())};
  const RecordOptions first = finish(shards, "first");
  std::vector<std::string> files = kExactFiles;
  files.insert(files.end(), {"experts.csv", "layers.csv"});
  int n_orders = 0;
  while (std::next_permutation(shards.begin(), shards.end())) {
    expect_equal_files(first.out, finish(shards, fmt::format("order{}", ++n_orders)).out, files);
  }
  EXPECT_GE(n_orders, 2);
}

TEST_F(Merging, RefusesShardsThatAreNotTheWholeRun) {
  const auto first = run_shard(0, 20), second = run_shard(20, n_sequences()), middle = run_shard(20, 30),
             late = run_shard(25, n_sequences());
  const auto contains = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  const std::string n = std::to_string(n_sequences());
  EXPECT_EQ(refusal({first, second}), "");
  EXPECT_EQ(refusal({}), "sequences 0 to " + n + " of " + n + " are in none of the shards");
  EXPECT_EQ(refusal({second}), "sequences 0 to 20 of " + n + " are in none of the shards");
  EXPECT_EQ(refusal({late, first}), "sequences 20 to 25 of " + n + " are in none of the shards (" + first.string() +
                                        " ends there: is it finished?)");
  EXPECT_EQ(refusal({first, middle}), "sequences 30 to " + n + " of " + n + " are in none of the shards (" +
                                          middle.string() + " ends there: is it finished?)");
  EXPECT_EQ(refusal({first, second, middle.parent_path() / "nothing"}),
            (middle.parent_path() / "nothing").string() + ": no saved state of a recording");
  contains(refusal({first, second, first}), first.string() + " both hold sequences 0 to 20");
  contains(refusal({first, middle, late}), middle.string() + " and " + late.string() + " both hold sequences 25 to 30");
  // The trace of a shard that lies within it must be there.
  io::write_file_atomically(first / "resume/trace.bin", "too short");
  contains(refusal({first, second}), (first / "resume/trace.bin").string() + " has 9 bytes, expected at least");
}

TEST_F(Merging, RefusesAShardOfAnotherRun) {
  const auto first = run_shard(0, 20);
  shared_options.seed = 12;
  const auto second = run_shard(20, n_sequences());
  shared_options.seed = 11;
  const std::string message = refusal({first, second});
  EXPECT_EQ(message.find(second.string() + " holds another run: its seed is 12, that of this one is 11"), 0U)
      << message;
}

TEST_F(Merging, RefusesABrokenState) {
  const auto first = run_shard(0, 20), second = run_shard(20, n_sequences());
  const std::filesystem::path file = second / "resume/state.safetensors";
  const io::SafetensorsFile state = io::SafetensorsFile::open(file);
  const auto write = [&](const std::string& changed, std::vector<std::byte> bytes) {
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [name, tensor] : state.tensors()) {
      if (name != changed) tensors.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
    }
    if (!bytes.empty()) {
      tensors.push_back({changed, io::DType::kU8, {static_cast<std::int64_t>(bytes.size())}, bytes});
    }
    io::write_safetensors(file, tensors, state.metadata());
  };
  const auto bytes_of = [&](const std::string& name) {
    const auto bytes = state.at(name).bytes;
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  std::vector<std::byte> sizes = bytes_of("evidence.sample.size");
  sizes[1] = std::byte{1};  // 256 windows more than there is room for
  write("evidence.sample.size", sizes);
  EXPECT_EQ(refusal({first, second}), file.string() + ": broken evidence");
  std::vector<std::byte> candidates = bytes_of("evidence.strongest.candidates");
  candidates[offsetof(Candidate, slot) + 3] = std::byte{0x80};  // a negative slot
  write("evidence.strongest.candidates", candidates);
  EXPECT_EQ(refusal({first, second}), file.string() + ": broken evidence");
  candidates.pop_back();
  write("evidence.strongest.candidates", candidates);
  EXPECT_NE(refusal({first, second}).find("'evidence.strongest.candidates' has"), std::string::npos);
  write("counters.n_tokens", {});
  EXPECT_NE(refusal({first, second}).find("counters.n_tokens"), std::string::npos);
}

TEST_F(Merging, AShardIsNotTakenForTheBeginningOfARun) {
  RecordOptions o = shared_options;
  o.out = run_shard(20, n_sequences());
  try {
    recorded(o);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("holds a shard of this run, which begins at sequence 20"),
              std::string::npos)
        << error.what();
  }
  // One that begins where the run does is: the recording goes on behind it.
  o.out = run_shard(0, 20);
  EXPECT_TRUE(recorded(o).resumed);
  recorded(shared_options);
  expect_same_results(shared_options.out, o.out);
}

}  // namespace
}  // namespace moescope::record
