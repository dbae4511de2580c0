#include "moescope/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/random.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/model/language_model.h"
#include "moescope/text/tokenizer.h"
#include "moescope/train/data.h"

namespace moescope::train {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(SequenceStart, EveryEpochVisitsEveryPieceOnce) {
  constexpr std::int64_t kTokens = 1003;
  constexpr std::int64_t kPositions = 10;
  constexpr std::int64_t kPieces = (kTokens - 1) / kPositions;
  std::vector<std::int64_t> first_epoch;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<std::int64_t> starts;
    std::vector<std::int64_t> order;
    for (std::int64_t j = 0; j < kPieces; ++j) {
      const std::int64_t start = sequence_start(epoch * kPieces + j, kTokens, kPositions, 5);
      EXPECT_LE(start + kPositions + 1, kTokens);
      EXPECT_EQ(start % kPositions, 0);
      starts.insert(start);
      order.push_back(start);
    }
    EXPECT_EQ(static_cast<std::int64_t>(starts.size()), kPieces);
    if (epoch == 0) first_epoch = order;
    if (epoch == 1) {
      EXPECT_NE(order, first_epoch);
    }
  }
}

// A corpus of a small grammar: subject, verb, object, so that a model can learn something in seconds.
class Training : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) /
            ("moescope_train_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    fs::create_directories(root_);
    std::ofstream corpus(root_ / "corpus.jsonl");
    const std::vector<std::string> subjects = {"the cat", "a dog", "my sister", "the old man"};
    const std::vector<std::string> verbs = {"sees", "likes", "follows", "paints"};
    const std::vector<std::string> objects = {"the river", "a green house", "seven apples", "nothing"};
    Random random(1);
    for (int d = 0; d < 120; ++d) {
      std::string text;
      for (int s = 0; s < 12; ++s) {
        text += subjects[random.below(4)] + " " + verbs[random.below(4)] + " " + objects[random.below(4)] + ". ";
      }
      corpus << "{\"text\": \"" << text << "\"}\n";
    }
  }
  void TearDown() override {
    set_interrupted(0);
    fs::remove_all(root_);
  }

  TrainSettings settings(const std::string& out) const {
    TrainSettings s;
    s.corpora = {(root_ / "corpus.jsonl").string()};
    s.out = (root_ / out).string();
    s.vocab_size = 300;
    s.validation_frac = 0.1;
    s.n_steps = 12;
    s.batch_sequences = 4;
    s.micro_sequences = 2;
    s.validate_every = 6;
    s.validation_sequences = 4;
    s.save_every = 4;
    s.save_dtype = "float32";
    s.model = {.d_model = 32,
               .n_layers = 2,
               .n_heads = 2,
               .n_experts = 8,
               .n_experts_per_token = 2,
               .d_expert = 16,
               .n_ctx = 32};
    s.optimizer.lr = 5e-3;
    s.optimizer.warmup_steps = 3;
    return s;
  }

  std::string weights(const std::string& out) const { return io::read_file(root_ / out / "model.safetensors"); }

  fs::path root_;
  Console console_;
};

TEST_F(Training, LearnsAndWritesAFolderThatLoads) {
  TrainSettings s = settings("learn");
  s.n_steps = 60;
  const TrainResult result = train(s, console_);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(result.n_tokens, 60 * 4 * 32);
  EXPECT_LT(result.validation.loss, 3.5) << "a uniform guess costs log(300) = 5.7 nats";
  const io::CheckpointFolder folder = io::find_checkpoint(s.out);
  const model::Checkpoint checkpoint = model::Checkpoint::open(folder);
  EXPECT_EQ(checkpoint.config().router.n_experts, 8);
  EXPECT_LE(text::Tokenizer::load(folder.tokenizer_json).vocab_size(), checkpoint.config().d_vocab);
  for (const char* file : {"config.json", "tokenizer_config.json", "generation_config.json", "training.json",
                           "train_log.csv", "validation_log.csv"}) {
    EXPECT_TRUE(fs::exists(fs::path(s.out) / file)) << file;
  }
}

TEST_F(Training, ResumingGivesTheSameWeightsToTheLastBit) {
  train(settings("whole"), console_);
  TrainSettings s = settings("parts");
  Console ctrl_c;  // the signal comes when the text is read, so the first step is the last
  ctrl_c.line = [](const std::string& line) {
    if (line.find("held out") != std::string::npos) set_interrupted(SIGINT);
  };
  EXPECT_THROW(train(s, ctrl_c), Error);
  set_interrupted(0);
  EXPECT_TRUE(fs::exists(root_ / "parts" / "state" / "state.safetensors"));
  EXPECT_NE(weights("parts"), weights("whole"));
  const TrainResult result = train(s, console_);
  EXPECT_TRUE(result.finished);
  EXPECT_EQ(weights("parts"), weights("whole"));
  const auto without_speed = [&](const std::string& out) {  // the last column is a timing
    std::string kept;
    std::ifstream file(root_ / out / "train_log.csv");
    for (std::string line; std::getline(file, line);) kept += line.substr(0, line.rfind(',')) + "\n";
    return kept;
  };
  EXPECT_EQ(without_speed("parts"), without_speed("whole"));
}

TEST_F(Training, AStateOfOtherSettingsIsRefusedByName) {
  train(settings("state"), console_);
  TrainSettings other = settings("state");
  other.optimizer.lr = 1e-4;
  try {
    train(other, console_);
    FAIL() << "other settings were accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("optimizer.lr"));
  }
}

TEST_F(Training, RefusesContradictorySettings) {
  const auto error_of = [&](const std::function<void(TrainSettings&)>& change) -> std::string {
    TrainSettings s = settings("bad");
    change(s);
    try {
      train(s, console_);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of([](TrainSettings& s) { s.corpora.clear(); }), HasSubstr("option 'corpus' is missing"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.corpora = {"/no/such/file.txt"}; }), HasSubstr("/no/such/file.txt"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.out.clear(); }), HasSubstr("option 'out' is missing"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.micro_sequences = 3; }), HasSubstr("option 'micro-sequences'"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.validation_frac = 0; }), HasSubstr("option 'validation-frac' is 0"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.model.n_experts_per_token = 9; }), HasSubstr("num_experts"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.model.n_heads = 5; }), HasSubstr("num_attention_heads"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.model.n_ctx = 100000; }), HasSubstr("sequence"));
  EXPECT_THAT(error_of([](TrainSettings& s) { s.dtype = "float8"; }), HasSubstr("float8"));
}

}  // namespace
}  // namespace moescope::train
