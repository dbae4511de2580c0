#include "moescope/record/record.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
#include "moescope/run/run_directory.h"
#include "moescope/text/tokenizer.h"
#include "tests/record/naive_recording.h"
#include "tests/record/recording.h"
#include "tests/record/tiny_model.h"

namespace moescope::record {
namespace {

using test::expect_same_results;
using test::Fired;
using test::integer;
using test::kScoreBound;
using test::NaiveRecording;
using test::read;
using test::read_experts;
using test::read_table;
using test::real;
using test::Recording;
using test::Routed;

constexpr double kOnTheBound = 1;  // neurons of an expert that rounding may move over a bound

TEST_F(Recording, CountsWhatTheModelDoes) {
  const RecordOptions o = options("run");
  recorded(o);
  const text::TokenCorpus tokens = read_corpus(o);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(model.string()));
  NaiveRecording want(checkpoint, tokens);
  const std::int64_t n_layers = want.config.n_layers, n_experts = want.config.router.n_experts, k = 3;
  const auto n_tokens = static_cast<std::int64_t>(tokens.token_ids.size());

  const io::Table experts = read_experts(o.out);
  for (std::int64_t l = 0; l < n_layers; ++l) {
    const auto coactivation = read<std::int64_t>(o.out, "coactivation", fmt::format("layers.{}.coactivation", l));
    std::map<std::int64_t, std::set<std::int64_t>> chosen;  // experts of a token
    for (std::int64_t e = 0; e < n_experts; ++e) {
      for (const Routed& routed : want.expert(l, e)) chosen[routed.token].insert(e);
    }
    for (std::int64_t e = 0; e < n_experts; ++e) {
      const auto row = static_cast<std::size_t>(l * n_experts + e);
      double weight = 0, score = 0, norm = 0, active = 0, active_01 = 0;
      const auto& routed = want.expert(l, e);
      const auto n = static_cast<double>(routed.size());
      ASSERT_GT(routed.size(), 0U);
      for (const Routed& r : routed) {
        weight += r.weight;
        score += r.score();
        norm += r.norm;
        active += static_cast<double>(r.n_active);
        active_01 += static_cast<double>(r.n_active_01);
      }
      const double d_expert = static_cast<double>(want.config.d_expert);
      EXPECT_EQ(integer(experts, "layer", row), l);
      EXPECT_EQ(integer(experts, "expert", row), e);
      EXPECT_EQ(integer(experts, "n_tokens", row), static_cast<std::int64_t>(routed.size()));
      EXPECT_EQ(integer(experts, "n_windows", row),
                static_cast<std::int64_t>(test::windows_of(want, l, e, o.seed).size()));
      EXPECT_DOUBLE_EQ(real(experts, "load_frac", row), n / static_cast<double>(n_tokens * k));
      EXPECT_NEAR(real(experts, "mean_weight", row), weight / n, 1e-5 * weight / n);
      EXPECT_NEAR(real(experts, "mean_score", row), score / n, kScoreBound * score / n);
      EXPECT_NEAR(real(experts, "mean_output_norm", row), norm / n, 1e-5 * norm / n);
      EXPECT_NEAR(real(experts, "active_neuron_frac", row), active / n / d_expert, 1e-12);
      EXPECT_NEAR(real(experts, "active_neuron_frac_01", row), active_01 / n / d_expert,
                  1e-12 + kOnTheBound / n / d_expert);
      for (std::int64_t other = 0; other < n_experts; ++other) {
        std::int64_t together = 0;
        for (const auto& [token, set] : chosen) together += set.contains(e) && set.contains(other) ? 1 : 0;
        EXPECT_EQ(coactivation[static_cast<std::size_t>(e * n_experts + other)], together);
      }
    }
  }
}

TEST_F(Recording, SumsUpLayersDomainsAndInputTokens) {
  const RecordOptions o = options("run");
  const RecordSummary summary = recorded(o);
  const text::TokenCorpus tokens = read_corpus(o);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(model.string()));
  NaiveRecording want(checkpoint, tokens);
  const auto n_tokens = static_cast<double>(tokens.token_ids.size());

  const nlohmann::json& loss = summary.run.at("loss");
  EXPECT_EQ(loss.at("n").get<std::int64_t>(), want.n_loss);
  const double mean = want.sum_loss / static_cast<double>(want.n_loss);
  EXPECT_NEAR(loss.at("mean_nats").get<double>(), mean, 1e-5 * mean);
  EXPECT_NEAR(loss.at("perplexity").get<double>(), std::exp(mean), 1e-4 * std::exp(mean));

  const io::Table layers =
      read_table(o.out, "layers", {"layer", "n_tokens", "n_never_used"},
                 {"router_entropy_bits", "router_margin", "load_entropy_bits", "load_max_over_mean"}, {});
  for (std::size_t l = 0; l < 3; ++l) {
    EXPECT_EQ(integer(layers, "n_tokens", l), static_cast<std::int64_t>(n_tokens));
    EXPECT_NEAR(real(layers, "router_entropy_bits", l), want.entropy_bits[l] / n_tokens, 1e-5);
    EXPECT_NEAR(real(layers, "router_margin", l), want.margin[l] / n_tokens, 1e-6);
    double bits = 0, most = 0;
    for (std::int64_t e = 0; e < 8; ++e) {
      const double share = static_cast<double>(want.expert(static_cast<std::int64_t>(l), e).size()) / (3 * n_tokens);
      bits -= share * std::log2(share);
      most = std::max(most, share * 8);
    }
    EXPECT_NEAR(real(layers, "load_entropy_bits", l), bits, 1e-9);
    EXPECT_NEAR(real(layers, "load_max_over_mean", l), most, 1e-9);
  }

  const io::Table domains =
      read_table(o.out, "domains", {"layer", "expert", "n_tokens"}, {"share_of_domain_frac"}, {"kind", "domain"});
  EXPECT_EQ(domains.n_rows(), 3U * 8U * 3U);
  for (std::size_t row = 0; row < domains.n_rows(); ++row) {
    const std::string domain = std::get<io::TextColumn>(domains.at("domain").values).at(row).value();
    std::int64_t n = 0, n_domain = 0;
    const auto is_of = [&](std::int64_t token) {
      for (const auto& document : tokens.documents) {
        if (token >= document.first_token && token < document.first_token + document.n_tokens) {
          return (document.domain.empty() ? "unknown" : document.domain) == domain;
        }
      }
      return false;
    };
    for (const Routed& routed : want.expert(integer(domains, "layer", row), integer(domains, "expert", row))) {
      n += is_of(routed.token) ? 1 : 0;
    }
    for (std::int64_t token = 0; token < static_cast<std::int64_t>(n_tokens); ++token) n_domain += is_of(token) ? 1 : 0;
    EXPECT_EQ(integer(domains, "n_tokens", row), n);
    EXPECT_DOUBLE_EQ(real(domains, "share_of_domain_frac", row),
                     static_cast<double>(n) / static_cast<double>(n_domain));
  }

  for (std::int64_t l = 0; l < 3; ++l) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> counts, got;
    for (std::int64_t e = 0; e < 8; ++e) {
      for (const Routed& r : want.expert(l, e)) ++counts[{e, tokens.token_ids[static_cast<std::size_t>(r.token)]}];
    }
    const std::string prefix = fmt::format("layers.{}.", l);
    const auto expert = read<std::int32_t>(o.out, "input_tokens", prefix + "expert");
    const auto token_id = read<std::int32_t>(o.out, "input_tokens", prefix + "token_id");
    const auto count = read<std::int64_t>(o.out, "input_tokens", prefix + "count");
    for (std::size_t i = 0; i < expert.size(); ++i) got[{expert[i], token_id[i]}] = count[i];
    EXPECT_EQ(got, counts);
    EXPECT_EQ(got.size(), expert.size()) << "a pair stands twice";
  }
}

TEST_F(Recording, KeepsTheStrongestWindowsAndASampleOverDeciles) {
  const RecordOptions o = options("run");
  recorded(o);
  const text::TokenCorpus tokens = read_corpus(o);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(model.string()));
  NaiveRecording want(checkpoint, tokens);
  const auto ints = [&](const char* name) { return read<std::int32_t>(o.out, "evidence", name); };
  const auto layer = ints("layer"), expert = ints("expert"), kind = ints("kind"), decile = ints("decile"),
             doc_idx = ints("doc_idx"), position = ints("position"), length = ints("length"),
             token_ids = ints("token_ids"), strongest = ints("strongest"), promoted = ints("promoted");
  const auto strength = read<float>(o.out, "evidence", "strength"), scores = read<float>(o.out, "evidence", "scores");
  std::size_t row = 0;
  for (std::int64_t l = 0; l < 3; ++l) {
    for (std::int64_t e = 0; e < 8; ++e) {
      for (const Fired& fired : test::expected_evidence(test::windows_of(want, l, e, o.seed), 5, 40, 2)) {
        ASSERT_LT(row, layer.size());
        ASSERT_EQ(layer[row], l);
        ASSERT_EQ(expert[row], e);
        EXPECT_EQ(kind[row], fired.decile < 0 ? 0 : 1);
        EXPECT_EQ(decile[row], fired.decile);
        ASSERT_EQ(doc_idx[row], fired.window.doc_idx) << "row " << row;
        ASSERT_EQ(position[row], fired.window.position) << "row " << row;
        EXPECT_EQ(length[row], fired.window.n_tokens);
        EXPECT_NEAR(strength[row], fired.strength, kScoreBound * fired.strength);
        std::vector<double> want_scores(8, 0.0);
        for (const Routed& r : fired.tokens) {
          want_scores[static_cast<std::size_t>(r.token - fired.window.first_token)] = r.score();
        }
        for (std::size_t i = 0; i < 8; ++i) {
          EXPECT_NEAR(scores[row * 8 + i], want_scores[i], kScoreBound * fired.strength);
          const bool inside = static_cast<std::int64_t>(i) < fired.window.n_tokens;
          EXPECT_EQ(token_ids[row * 8 + i],
                    inside ? tokens.token_ids[static_cast<std::size_t>(fired.window.first_token) + i] : -1);
        }
        for (std::size_t j = 0; j < 5; ++j) {
          const bool there = j < fired.tokens.size();
          EXPECT_EQ(strongest[row * 5 + j], there ? fired.tokens[j].token - fired.window.first_token : -1)
              << "row " << row;
          for (std::size_t t = 0; t < 3; ++t) {
            EXPECT_EQ(promoted[(row * 5 + j) * 3 + t], there ? fired.tokens[j].promoted[t] : -1);
          }
        }
        ++row;
      }
    }
  }
  EXPECT_EQ(row, layer.size());
}

TEST_F(Recording, TracesTheFirstTokens) {
  const RecordOptions o = options("run");
  recorded(o);
  const text::TokenCorpus tokens = read_corpus(o);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(model.string()));
  NaiveRecording want(checkpoint, tokens);
  const auto ints = [&](const std::string& name) { return read<std::int32_t>(o.out, "trace", name); };
  const auto token_ids = ints("token_ids"), doc_idx = ints("doc_idx"), position = ints("position"),
             context_position = ints("context_position"), begin = ints("byte_begin"), end = ints("byte_end");
  ASSERT_EQ(token_ids.size(), 500U);
  for (std::size_t t = 0; t < 500; ++t) {
    EXPECT_EQ(token_ids[t], tokens.token_ids[t]);
    const text::TokenizedDocument& document = tokens.documents[static_cast<std::size_t>(doc_idx[t])];
    EXPECT_EQ(document.first_token + position[t], static_cast<std::int64_t>(t));
    EXPECT_EQ(end[t] - begin[t], 1);  // one byte a piece
    EXPECT_EQ(begin[t], position[t]);
    EXPECT_LT(context_position[t], 24);
  }
  for (std::int64_t l = 0; l < 3; ++l) {
    const std::string prefix = fmt::format("layers.{}.", l);
    const auto ids = ints(prefix + "expert_ids");
    const auto weights = read<float>(o.out, "trace", prefix + "weights");
    const auto scores = read<float>(o.out, "trace", prefix + "scores");
    for (std::int64_t e = 0; e < 8; ++e) {
      for (const Routed& r : want.expert(l, e)) {
        if (r.token >= 500) continue;
        const auto at = static_cast<std::size_t>(r.token * 3 + r.slot);
        EXPECT_EQ(ids[at], e);
        EXPECT_NEAR(weights[at], r.weight, 1e-6);
        EXPECT_NEAR(scores[at], r.score(), kScoreBound * r.score());
      }
    }
  }
  std::ifstream lines(o.out / "documents.jsonl");
  std::size_t n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const nlohmann::json document = nlohmann::json::parse(line);
    EXPECT_EQ(document.at("doc_idx").get<std::size_t>(), n);
    EXPECT_EQ(document.at("n_tokens").get<std::int64_t>(), tokens.documents[n].n_tokens);
    EXPECT_EQ(document.contains("text"), tokens.documents[n].first_token < 500);
    EXPECT_EQ(document.at("n_traced").get<std::int64_t>() > 0, document.contains("text"));
  }
  EXPECT_EQ(n, tokens.documents.size());
}

TEST_F(Recording, DoesNotDependOnWavesBatchesAndThreads) {
  recorded(options("one"));
  RecordOptions small = options("many");
  small.max_wave_tokens = 100;
  small.max_batch_tokens = 30;
  recorded(small);
  machine::MachineOptions threads = roomy();
  threads.n_threads = 2;
  recorded(options("threads"), threads);
  EXPECT_GT(run::read_run_json(small.out).at("waves").at("n").get<int>(), 10);
  expect_same_results(folder.path() / "one", folder.path() / "many");
  expect_same_results(folder.path() / "one", folder.path() / "threads");
}

TEST_F(Recording, GoesOnWhereItWasInterrupted) {
  recorded(options("one"));
  RecordOptions o = options("stopped");
  o.max_wave_tokens = 200;
  o.max_save_frac = 1e9;  // save behind each wave
  int n_calls = 0;
  o.wave_done = [&](std::int64_t) {
    if (++n_calls % 3 == 0) set_interrupted(SIGINT);
  };
  int n_stops = 0;
  RecordSummary summary;
  for (bool done = false; !done && n_stops < 100;) {
    try {
      summary = recorded(o);
      done = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::kInterrupted) << error.what();
      EXPECT_NE(std::string(error.what()).find("the same command goes on"), std::string::npos);
      EXPECT_FALSE(std::filesystem::exists(o.out / "run.json"));
      EXPECT_TRUE(std::filesystem::exists(o.out / "resume" / "state.safetensors"));
      set_interrupted(0);
      ++n_stops;
    }
  }
  EXPECT_GE(n_stops, 2);
  EXPECT_TRUE(summary.resumed);
  EXPECT_FALSE(std::filesystem::exists(o.out / "resume"));
  EXPECT_EQ(summary.run.at("waves").at("n").get<int>(), n_calls) << "a wave was run twice or left out";
  expect_same_results(folder.path() / "one", o.out);
  // Sums over tokens would be off if a wave had been counted twice.
  const auto n = [&](const char* name) {
    return std::get<io::IntColumn>(
        read_table(folder.path() / name, "layers", {"layer", "n_tokens", "n_never_used"},
                   {"router_entropy_bits", "router_margin", "load_entropy_bits", "load_max_over_mean"}, {})
            .at("n_tokens")
            .values);
  };
  EXPECT_EQ(n("one"), n("stopped"));
}

TEST_F(Recording, LeavesACompleteRunAsItIs) {
  const RecordOptions o = options("run");
  recorded(o);
  const auto before = std::filesystem::last_write_time(o.out / "evidence.safetensors");
  const RecordSummary again = recorded(o);
  EXPECT_TRUE(again.already_complete);
  EXPECT_EQ(std::filesystem::last_write_time(o.out / "evidence.safetensors"), before);
}

TEST_F(Recording, RefusesTheDirectoryOfAnotherRun) {
  RecordOptions o = options("run");
  recorded(o);
  o.seed = 12;
  EXPECT_NE(message_of(o).find("holds another run: its seed is 11, that of this one is 12"), std::string::npos)
      << message_of(o);
  o.seed = 11;
  o.n_strongest = 6;
  EXPECT_NE(message_of(o).find("holds another run: its evidence is 5, that of this one is 6"), std::string::npos)
      << message_of(o);
  o = options("run");
  test::write_text(folder.path() / "other.jsonl", "{\"text\": \"another corpus\"}\n");
  o.corpus = (folder.path() / "other.jsonl").string();
  EXPECT_NE(message_of(o).find("its corpus_hash is"), std::string::npos) << message_of(o);

  // The same for a run that is not finished.
  o = options("half");
  o.max_wave_tokens = 200;
  o.wave_done = [](std::int64_t) { set_interrupted(SIGTERM); };
  EXPECT_NE(message_of(o).find("the same command goes on"), std::string::npos);
  set_interrupted(0);
  o.window = 4;
  EXPECT_NE(message_of(o).find("holds another run: its window is 8"), std::string::npos) << message_of(o);
}

TEST_F(Recording, SaysWhatIsWrongInOneLine) {
  RecordOptions o = options("run");
  o.corpus = (folder.path() / "empty.jsonl").string();
  test::write_text(o.corpus, "{\"text\": \"\"}\n");
  EXPECT_NE(message_of(o).find("the corpus is empty: 1 documents without text"), std::string::npos) << message_of(o);
  o = options("run");
  o.window = 25;
  EXPECT_NE(message_of(o).find("option 'window' 25 is longer than option 'context' 24"), std::string::npos)
      << message_of(o);
  machine::MachineOptions small;
  small.memory_bytes = 1;
  o = options("run");
  EXPECT_NE(message_of(o, small).find("raise option 'memory'"), std::string::npos) << message_of(o, small);
  o = options("foreign");
  std::filesystem::create_directories(o.out);
  test::write_text(o.out / "thesis.tex", "do not touch");
  EXPECT_NE(message_of(o).find("something else"), std::string::npos) << message_of(o);
  test::write_text(model / "tokenizer.json", test::tiny_tokenizer_json(1));
  EXPECT_NE(message_of(options("run")).find("68 pieces, but the model's embedding has 67 rows"), std::string::npos)
      << message_of(options("run"));
}

TEST_F(Recording, CountsWhatItLeavesOut) {
  RecordOptions o = options("run");
  o.n_tokens = 300;
  const nlohmann::json run = recorded(o).run;
  const nlohmann::json& corpus_json = run.at("corpus");
  EXPECT_EQ(corpus_json.at("n_tokens_run").get<int>(), 300);
  EXPECT_FALSE(corpus_json.at("complete").get<bool>());
  std::map<std::string, std::int64_t> skipped;
  for (const auto& item : run.at("skipped")) {
    skipped[item.at("what").get<std::string>() + ": " + item.at("why").get<std::string>()] =
        item.at("n").is_null() ? -1 : item.at("n").get<std::int64_t>();
  }
  EXPECT_GT(skipped["documents: without text"], 0);
  EXPECT_GT(skipped["documents: read, but behind the last token asked for"], 0);
  EXPECT_TRUE(skipped.contains("rest of the corpus: not read: tokens asked for were reached"));
}

// An expert that no token reaches has counts and a status, not numbers.
TEST_F(Recording, KeepsExpertsThatAreRareOrNeverUsed) {
  RecordOptions o = options("run");
  o.corpus = (folder.path() / "short.txt").string();
  test::write_text(o.corpus, "a");
  const RecordSummary summary = recorded(o);
  EXPECT_EQ(summary.n_rare, 3 * 3);
  EXPECT_EQ(summary.n_never, 3 * 5);
  const io::Table experts = read_experts(o.out);
  const auto& status = std::get<io::TextColumn>(experts.at("status").values);
  const auto& norm = std::get<io::RealColumn>(experts.at("mean_output_norm").values);
  for (std::size_t row = 0; row < experts.n_rows(); ++row) {
    EXPECT_EQ(status[row], integer(experts, "n_tokens", row) == 0 ? "never" : "rare");
    EXPECT_EQ(norm[row].has_value(), integer(experts, "n_tokens", row) > 0);
  }
  EXPECT_EQ(summary.run.at("loss").at("n").get<int>(), 0);
  EXPECT_TRUE(summary.run.at("loss").at("mean_nats").is_null());
}

}  // namespace
}  // namespace moescope::record
