#include "moescope/record/model_trace.h"

#include <c10/core/GradMode.h>

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/base/options.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/weights.h"

namespace moescope::record {
namespace {

struct NamedTensor {
  std::string name;
  at::Tensor value;  // contiguous, on the CPU
};

// Collects one layer; rows of experts are put back at their (token, slot).
class TraceObserver : public model::LayerObserver {
 public:
  TraceObserver(std::string prefix, const std::set<std::string>& parts, std::vector<NamedTensor>& out)
      : prefix_(std::move(prefix)), parts_(parts), out_(out) {}

  void on_residual(const at::Tensor& residual) override {
    if (parts_.contains("residual")) keep("residual", residual);
  }

  void on_routing(const model::Routing& routing) override {
    n_tokens_ = routing.expert_ids.size(0);
    n_per_token_ = routing.expert_ids.size(1);
    if (!parts_.contains("router")) return;
    keep("router_logits", routing.logits);
    keep("expert_ids", routing.expert_ids.to(at::kInt));
    keep("expert_weights", routing.weights);
  }

  void on_expert(const model::ExpertCall& call) override {
    if (parts_.contains("neurons")) place(neurons_, call.slots, call.neurons);
    if (parts_.contains("outputs")) place(outputs_, call.slots, call.outputs);
  }

  void on_shared(const model::SharedCall& call) override {
    if (parts_.contains("neurons")) keep("shared_neurons", call.neurons);
    if (!parts_.contains("outputs")) return;
    keep("shared_output", call.outputs);
    keep("shared_gate", call.weights);
  }

  void finish() {
    if (neurons_.defined()) keep("neurons", neurons_.view({n_tokens_, n_per_token_, -1}));
    if (outputs_.defined()) keep("expert_outputs", outputs_.view({n_tokens_, n_per_token_, -1}));
  }

 private:
  void keep(const char* name, const at::Tensor& value) {
    out_.push_back({prefix_ + name, value.detach().cpu().contiguous().clone()});
  }

  void place(at::Tensor& all, const at::Tensor& slots, const at::Tensor& rows) const {
    if (!all.defined()) all = at::zeros({n_tokens_ * n_per_token_, rows.size(1)}, rows.options());
    all.index_copy_(0, slots, rows);
  }

  std::string prefix_;
  const std::set<std::string>& parts_;
  std::vector<NamedTensor>& out_;
  std::int64_t n_tokens_ = 0, n_per_token_ = 0;
  at::Tensor neurons_, outputs_;
};

void write(const std::filesystem::path& out, const std::vector<NamedTensor>& tensors, const std::string& dtype) {
  std::vector<io::TensorToWrite> to_write;
  for (const NamedTensor& tensor : tensors) {
    to_write.push_back({tensor.name,
                        model::storage_dtype(tensor.value.scalar_type()),
                        tensor.value.sizes().vec(),
                        {static_cast<const std::byte*>(tensor.value.const_data_ptr()), tensor.value.nbytes()}});
  }
  io::write_safetensors(out, to_write, {{"format", "pt"}, {"made_by", "moescope trace"}, {"dtype", dtype}});
}

}  // namespace

const std::vector<std::string>& trace_parts() {
  static const std::vector<std::string> parts = {"logits", "router", "neurons", "outputs", "residual"};
  return parts;
}

std::vector<std::string> write_model_trace(const model::LanguageModel& model, const std::vector<std::int64_t>& ids,
                                           const std::set<std::string>& parts, const std::filesystem::path& out) {
  for (const std::string& part : parts) {
    if (std::find(trace_parts().begin(), trace_parts().end(), part) == trace_parts().end()) {
      throw unknown_word(part, trace_parts()).at(option_name("what"));
    }
  }
  const std::set<std::string> wanted =
      parts.empty() ? std::set<std::string>(trace_parts().begin(), trace_parts().end()) : parts;
  if (ids.empty()) throw input_error("no tokens to trace");
  if (static_cast<std::int64_t>(ids.size()) > model.config().n_ctx) {
    throw input_error("{} tokens are more than the model's context of {}", ids.size(), model.config().n_ctx);
  }
  const c10::NoGradGuard no_grad;
  std::vector<NamedTensor> tensors;
  const at::Tensor id_tensor = at::tensor(at::ArrayRef<std::int64_t>(ids), at::TensorOptions().dtype(at::kLong));
  tensors.push_back({"token_ids", id_tensor.to(at::kInt)});
  std::vector<TraceObserver> observers;
  for (std::int64_t l = 0; l < model.config().n_layers; ++l) {
    observers.emplace_back("layers." + std::to_string(l) + ".", wanted, tensors);
  }
  const at::Tensor residual = model.residual(id_tensor.unsqueeze(0).to(model.device()),
                                             [&](std::int64_t l) { return &observers[static_cast<std::size_t>(l)]; });
  for (TraceObserver& observer : observers) observer.finish();
  if (wanted.contains("logits")) {
    tensors.push_back({"logits", model.logits(residual).squeeze(0).to(at::kCPU, at::kFloat).contiguous()});
  }
  write(out, tensors, at::toString(model.dtype()));
  std::vector<std::string> names;
  for (const NamedTensor& tensor : tensors) names.push_back(tensor.name);
  return names;
}

}  // namespace moescope::record
