// Opening a model once: what it is checked against, that it serves many calls, and that it sets nothing process-wide.
#include "moescope/engine/opened_model.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "moescope/base/error.h"
#include "tests/record/tiny_model.h"

namespace moescope::engine {
namespace {

using testing::HasSubstr;

template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

class Opening : public testing::Test {
 protected:
  OpenedModel open() const {
    const machine::MachineOptions defaults;
    return open(defaults);
  }
  OpenedModel open(const machine::MachineOptions& machine) const {
    return OpenedModel::open({model.string()}, machine);
  }

  test::TemporaryFolder folder;
  std::filesystem::path model = test::make_tiny_model(folder.path() / "model");
};

TEST_F(Opening, GivesTheSameObjectsToEveryCallAndThread) {
  OpenedModel first = open();
  std::vector<const void*> seen(4);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      threads.emplace_back([&, i] {
        seen[i] = i % 2 == 0 ? static_cast<const void*>(&first.tokenizer())
                             : static_cast<const void*>(&first.language_model());
      });
    }
  }
  EXPECT_EQ(seen[0], seen[2]);
  EXPECT_EQ(seen[1], seen[3]);
  const OpenedModel moved = std::move(first);
  EXPECT_EQ(&moved.tokenizer(), seen[0]);
  EXPECT_EQ(moved.tokenizer().encode("abc").ids.size(), 3U);
  EXPECT_EQ(moved.model_hash(), io::checkpoint_hash(moved.folder()));
}

TEST_F(Opening, ChoosesDeviceAndDtypeAndLeavesTheProcessAlone) {
  const int n_threads = at::get_num_threads();
  machine::MachineOptions machine;
  machine.dtype = "bfloat16";
  machine.n_threads = n_threads + 3;
  machine.memory_bytes = 1 << 30;
  const OpenedModel opened = open(machine);
  EXPECT_EQ(at::get_num_threads(), n_threads);
  EXPECT_EQ(opened.device(), at::Device(at::kCPU));
  EXPECT_EQ(opened.dtype(), at::kBFloat16);
  EXPECT_EQ(opened.language_model().dtype(), at::kBFloat16);
  const EngineOptions engine = opened.engine_options(7, 5);
  EXPECT_EQ(engine.dtype, at::kBFloat16);
  EXPECT_EQ(engine.memory_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(engine.max_wave_tokens, 7);
  EXPECT_EQ(engine.max_batch_tokens, 5);
}

TEST_F(Opening, SaysWhatIsWrong) {
  machine::MachineOptions machine;
  machine.device = "gpu";
  EXPECT_THAT(error_of([&] { open(machine); }), HasSubstr("unknown device 'gpu'"));
  machine::MachineOptions dtype;
  dtype.dtype = "float64";
  EXPECT_THAT(error_of([&] { open(dtype); }), HasSubstr("unknown dtype 'float64'"));
  machine::MachineOptions threads;
  threads.n_threads = -1;
  EXPECT_THAT(error_of([&] { open(threads); }), HasSubstr("threads is -1"));
  machine::MachineOptions memory;
  memory.memory_bytes = 1000;
  EXPECT_THAT(error_of([&] { open(memory).language_model(); }), HasSubstr("does not hold the model's"));
  const machine::MachineOptions defaults;
  EXPECT_THAT(error_of([&] { OpenedModel::open({"no/such-model"}, defaults); }),
              HasSubstr("hf download no/such-model"));
  EXPECT_THAT(error_of([&] { OpenedModel::open({model.string(), "v2"}, defaults); }), HasSubstr("has no revision"));
}

TEST_F(Opening, ChecksTheTokenizerAgainstTheModel) {
  test::write_text(model / "tokenizer.json", test::tiny_tokenizer_json(1));
  EXPECT_THAT(error_of([&] { open().tokenizer(); }),
              HasSubstr("68 pieces, but the model's embedding has 67 rows (this tokenizer belongs to another model)"));
  std::filesystem::remove(model / "tokenizer.json");
  const OpenedModel without = open();
  EXPECT_FALSE(without.has_tokenizer());
  EXPECT_EQ(without.language_model().config().d_vocab, 67);  // token ids need none
  EXPECT_EQ(error_of([&] { without.tokenizer(); }), model.string() + ": no tokenizer.json");
  EXPECT_EQ(error_of([&] { without.tokenizer_hash(); }), model.string() + ": no tokenizer.json");
}

TEST_F(Opening, OfATokenizerAloneNeedsNoModel) {
  std::filesystem::remove(model / "config.json");
  EXPECT_EQ(open_tokenizer({model.string()}).vocab_size(), 67);
  EXPECT_EQ(open_tokenizer({(model / "tokenizer.json").string()}).vocab_size(), 67);
  EXPECT_THAT(error_of([&] { open_tokenizer({model.string(), "v2"}); }), HasSubstr("has no revision 'v2'"));
  EXPECT_THAT(error_of([&] { open_tokenizer({folder.path().string()}); }), HasSubstr("no config.json"));
}

}  // namespace
}  // namespace moescope::engine
