#include "moescope/record/recorder.h"

#include <algorithm>
#include <cmath>

#include "moescope/record/row_kernels.h"

namespace moescope::record {
namespace {

constexpr const char* kTraceName = "trace.bin";

}  // namespace

RecordShape record_shape(const model::ModelConfig& config) {
  RecordShape shape{config.n_layers, config.router.n_experts, config.router.n_experts_per_token,
                    config.d_model,  config.d_expert,         config.d_expert,
                    config.d_shared, config.d_vocab,          {}};
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    shape.dense_layers.push_back(config.is_dense(l));
    if (config.is_dense(l)) shape.d_dense = config.d_hidden(l);
  }
  return shape;
}

Domains list_domains(const text::TokenCorpus& corpus) {
  Domains domains;
  std::map<std::string, std::int32_t> known;
  for (const text::TokenizedDocument& document : corpus.documents) {
    const std::string& name = document.domain.empty() ? "unknown" : document.domain;
    const auto [place, is_new] = known.try_emplace(name, static_cast<std::int32_t>(domains.names.size()));
    if (is_new) domains.names.push_back(name);
    domains.of_document.push_back(place->second);
  }
  return domains;
}

Recorder::Recorder(const model::ModelConfig& config, const text::TokenCorpus& corpus, const RecorderOptions& options,
                   const std::filesystem::path& state_folder)
    : options_(options),
      shape_(record_shape(config)),
      n_tokens_(static_cast<std::int64_t>(corpus.token_ids.size())),
      domains_(list_domains(corpus)),
      counters_(shape_, domains_.of_document, static_cast<std::int64_t>(domains_.names.size())),
      router_(shape_),
      input_tokens_(shape_),
      evidence_(shape_, options.evidence, options.dtype),
      trace_(state_folder / kTraceName, shape_, options.n_traced) {}

engine::TapNeeds Recorder::needs() const {
  engine::TapNeeds needs;
  needs.routing = true;
  needs.experts = needs.shared = true;
  needs.final = options_.loss;
  return needs;
}

engine::TapMemory Recorder::memory() const {
  engine::TapMemory memory;
  memory.fixed_bytes = EvidenceCollector::bytes(shape_, options_.evidence, options_.dtype) + counters_.bytes() +
                       router_.bytes() + InputTokenCounts::estimate_bytes(shape_, n_tokens_);
  const auto k = static_cast<std::uint64_t>(shape_.n_experts_per_token);
  memory.bytes_per_batch_token = k * (3 * 4 + 2 * 4) + static_cast<std::uint64_t>(shape_.n_experts) * 8;
  if (shape_.d_shared > 0) memory.bytes_per_batch_token += 2 * 8 + 3 * 4 + 2 * 4;  // all rows at once, and their trace
  return memory;
}

void Recorder::on_routing(const engine::LayerView& view, const model::Routing& routing) {
  router_.on_routing(view.layer_idx, routing);
  const std::vector<std::int64_t>& token_idx = view.batch.token_idx;
  traces_batch_ =
      std::any_of(token_idx.begin(), token_idx.end(), [&](std::int64_t idx) { return idx < options_.n_traced; });
  if (traces_batch_) trace_.on_routing(view.layer_idx, routing);
}

void Recorder::on_expert(const engine::LayerView& view, const model::ExpertCall& call) {
  const std::vector<float> norms = row_norms(call.outputs);
  const at::Tensor rows = call.rows.cpu(), slots = call.slots.cpu(), weights = call.weights.cpu().contiguous();
  const std::size_t n = norms.size();
  std::vector<float> scores(n);
  const float* weight = weights.const_data_ptr<float>();
  for (std::size_t i = 0; i < n; ++i) scores[i] = round_score(weight[i] * norms[i]);
  if (!std::all_of(scores.begin(), scores.end(), [](float score) { return std::isfinite(score); })) {
    const bool shared = shape_.kind(view.layer_idx, call.expert_idx) == ExpertKind::kShared;
    throw input_error("layer {}, {}: an output is not a finite number", view.layer_idx,
                      shared ? "shared expert" : fmt::format("expert {}", call.expert_idx))
        .hint("weights are broken, or option 'dtype' must be float32");
  }
  const ExpertBatch expert{view.layer_idx,
                           call.expert_idx,
                           view.batch,
                           {rows.const_data_ptr<std::int64_t>(), n},
                           {slots.const_data_ptr<std::int64_t>(), n},
                           {weight, n},
                           norms,
                           scores,
                           call};
  counters_.on_expert(expert);
  input_tokens_.on_expert(expert);
  evidence_.on_expert(expert);
  if (traces_batch_) trace_.on_expert(expert);
}

void Recorder::on_shared(const engine::LayerView& view, const model::SharedCall& call) {
  on_expert(view, engine::call_of_shared(call, shape_.n_experts));
}

void Recorder::on_layer_end(const engine::LayerView& view) {
  if (traces_batch_) trace_.on_layer_end(view);
}

void Recorder::on_final(const engine::Batch& batch, const at::Tensor& losses) { loss_.add(batch, losses); }

void Recorder::save(const std::filesystem::path& path, const std::map<std::string, std::string>& facts) {
  trace_.flush();
  const InputTokenCounts::Flat input_tokens = input_tokens_.flatten(0, shape_.n_layers);
  const std::vector<double> loss = {static_cast<double>(loss_.n), loss_.sum_nats};
  StateArrays arrays;
  counters_.add_state(arrays);
  router_.add_state(arrays);
  evidence_.add_state(arrays);
  InputTokenCounts::add_state(input_tokens, arrays);
  arrays.push_back(io::tensor_to_write("loss", {2}, loss));
  io::write_safetensors(path, arrays, facts);
}

void Recorder::load(const io::SafetensorsFile& state) {
  counters_.load_state(state);
  router_.load_state(state);
  evidence_.load_state(state);
  input_tokens_.load_state(state);
  loss_ = read_loss(state);
}

LossSum Recorder::read_loss(const io::SafetensorsFile& state) {
  std::vector<double> loss(2);
  load_array(state, "loss", loss);
  return {static_cast<std::int64_t>(loss[0]), loss[1]};
}

void Recorder::merge(const io::SafetensorsFile& state, const std::filesystem::path& state_folder, TokenRange tokens) {
  ExpertCounters counters(shape_, domains_.of_document, counters_.n_domains());
  RouterStatistics router(shape_);
  InputTokenCounts input_tokens(shape_);
  counters.load_state(state);
  router.load_state(state);
  input_tokens.load_state(state);
  const LossSum loss = read_loss(state);
  evidence_.merge(state);
  counters_.merge(counters);
  router_.merge(router);
  input_tokens_.merge(input_tokens);
  loss_.merge(loss);
  trace_.merge(state_folder / kTraceName, tokens);
}

}  // namespace moescope::record
