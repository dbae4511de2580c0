// Recording and labelling models with dense layers: their one expert gets every token, is counted, and has no label.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
#include "moescope/label/labeler.h"
#include "moescope/model/weights.h"
#include "moescope/record/record.h"
#include "tests/record/tiny_model.h"

namespace moescope::analysis {
namespace {

class DenseLayers : public testing::TestWithParam<const char*> {};

TEST_P(DenseLayers, AreRecordedAsOneExpertAndNotLabelled) {
  at::set_num_threads(1);
  const test::TemporaryFolder folder;
  const auto model = test::make_tiny_model(folder.path() / "model", std::string("family/") + GetParam());
  record::RecordOptions options;
  options.corpus = test::make_tiny_corpus(folder.path() / "corpus.jsonl").string();
  options.out = folder.path() / "run";
  options.context = 24;
  options.window = 8;
  options.n_trace_tokens = 100000;
  machine::MachineOptions machine;
  machine.memory_bytes = 4ull << 30;
  record::record(engine::OpenedModel::open({model.string()}, machine), options, {});
  const model::ModelConfig config = model::read_config(io::find_checkpoint(model.string()));

  const io::Table experts = io::read_csv(options.out / "experts.csv", {{{"layer", io::IntColumn()},
                                                                        {"expert", io::IntColumn()},
                                                                        {"kind", io::TextColumn()},
                                                                        {"n_tokens", io::IntColumn()},
                                                                        {"load_frac", io::RealColumn()},
                                                                        {"mean_weight", io::RealColumn()},
                                                                        {"mean_score", io::RealColumn()},
                                                                        {"mean_output_norm", io::RealColumn()},
                                                                        {"active_neuron_frac", io::RealColumn()},
                                                                        {"active_neuron_frac_01", io::RealColumn()},
                                                                        {"n_windows", io::IntColumn()},
                                                                        {"status", io::TextColumn()}}});
  const auto& layer = std::get<io::IntColumn>(experts.at("layer").values);
  const auto& n_tokens = std::get<io::IntColumn>(experts.at("n_tokens").values);
  const auto& active = std::get<io::RealColumn>(experts.at("active_neuron_frac").values);
  const auto trace = io::SafetensorsFile::open(options.out / "trace.safetensors");
  const std::int64_t n_run = trace.at("token_ids").shape[0];
  std::size_t row = 0;
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    std::int64_t of_layer = 0;
    for (std::int64_t e = 0; e < config.n_experts(l); ++e, ++row) {
      ASSERT_LT(row, experts.n_rows());
      EXPECT_EQ(layer[row].value(), l);
      of_layer += n_tokens[row].value();
      EXPECT_LE(active[row].value_or(0), 1.0);
    }
    if (config.has_shared(l)) {  // behind the routed ones, and not among them
      ASSERT_LT(row, experts.n_rows());
      EXPECT_EQ(std::get<io::TextColumn>(experts.at("kind").values)[row], "shared");
      EXPECT_EQ(n_tokens[row++].value(), n_run);
    }
    const std::int64_t k = config.n_experts_per_token(l);
    const auto ids = trace.at("layers." + std::to_string(l) + ".expert_ids").to_vector<std::int32_t>();
    const auto places = static_cast<std::int64_t>(ids.size()) / n_run;
    EXPECT_EQ(places, config.router.n_experts_per_token);
    std::int64_t n_traced = 0;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(ids.size()); ++i) {
      const std::int32_t id = ids[static_cast<std::size_t>(i)];
      EXPECT_EQ(id >= 0, i % places < k) << "layer " << l << ", place " << i;
      n_traced += id >= 0 ? 1 : 0;
    }
    EXPECT_EQ(n_traced, of_layer);  // the whole corpus is traced
  }
  EXPECT_EQ(row, experts.n_rows());

  const label::Labels labels = label::label_experts(label::read_traced_run(options.out), {}, nullptr, {});
  std::int64_t n_sparse = 0;
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    n_sparse += config.is_dense(l) ? 0 : config.n_experts(l) + (config.has_shared(l) ? 1 : 0);
  }
  EXPECT_EQ(static_cast<std::int64_t>(labels.experts.size()), n_sparse);
  for (const label::ExpertLabel& expert : labels.experts) EXPECT_FALSE(config.is_dense(expert.layer));
}

INSTANTIATE_TEST_SUITE_P(family, DenseLayers, testing::Values("deepseek_v3", "qwen2_moe_step", "gpt2", "olmo2"),
                         [](const auto& param_info) { return std::string(param_info.param); });

}  // namespace
}  // namespace moescope::analysis
