#include "moescope/engine/layer_source.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "tests/engine/tiny_run.h"

namespace moescope::engine {
namespace {

struct Way {
  at::ScalarType dtype;
  bool keep_layers;
};
class LayerSources : public testing::TestWithParam<Way> {};

void expect_equal(const model::LayerWeights& got, const model::LayerWeights& want) {
  const std::vector<at::Tensor> got_tensors = model::tensors_of(got), want_tensors = model::tensors_of(want);
  ASSERT_EQ(got_tensors.size(), want_tensors.size());
  ASSERT_GT(got_tensors.size(), 3 * want.experts.size());
  for (std::size_t i = 0; i < want_tensors.size(); ++i) EXPECT_TRUE(at::equal(got_tensors[i], want_tensors[i])) << i;
}

struct Step {
  std::int64_t layer;
  std::optional<std::int64_t> next;
};

// Waves in order, a wrong announcement, the same layer twice, and the end.
void expect_every_layer(const Way& way, at::Device device) {
  const model::Checkpoint checkpoint = test::open_fixture("plain");
  LayerSource source(checkpoint, way.dtype, device, way.keep_layers);
  for (const Step& step :
       {Step{0, 1}, Step{1, 2}, Step{2, 0}, Step{0, 1}, Step{2, 1}, Step{1, 1}, Step{1, {}}, Step{0, 2}}) {
    model::LayerWeights got = source.take(step.layer, step.next);
    const model::LayerWeights want = checkpoint.layer(step.layer, way.dtype, at::kCPU);
    EXPECT_EQ(got.attention.query.weight.device(), device);
    EXPECT_EQ(got.attention.query.weight.scalar_type(), way.dtype);
    EXPECT_EQ(got.router.weight.scalar_type(), at::kFloat);
    model::for_each_tensor(got, [](at::Tensor& tensor) { tensor = tensor.cpu(); });
    expect_equal(got, want);
  }
}

// Mapped and converted weights alike.
TEST_P(LayerSources, GiveTheLayerAskedForWhateverWasReadAhead) { expect_every_layer(GetParam(), at::kCPU); }

TEST_P(LayerSources, GiveTheSameOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device, or LibTorch is the CPU build";
  expect_every_layer(GetParam(), at::Device(at::kCUDA, 0));
}

INSTANTIATE_TEST_SUITE_P(Ways, LayerSources,
                         testing::Values(Way{at::kFloat, true}, Way{at::kFloat, false}, Way{at::kBFloat16, true},
                                         Way{at::kBFloat16, false}),
                         [](const auto& param_info) {
                           const Way& way = param_info.param;
                           return std::string(at::toString(way.dtype)) + (way.keep_layers ? "Kept" : "Dropped");
                         });

}  // namespace
}  // namespace moescope::engine
