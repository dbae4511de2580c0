// The tap that feeds every part of a recording from one pass, and the saved state that makes it resumable.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/engine/tap.h"
#include "moescope/model/config.h"
#include "moescope/record/counters.h"
#include "moescope/record/evidence.h"
#include "moescope/record/input_tokens.h"
#include "moescope/record/trace.h"
#include "moescope/text/windows.h"

namespace moescope::record {

struct RecorderOptions {
  EvidenceOptions evidence;
  std::int64_t n_traced = 0;  // tokens
  bool loss = true;
  at::ScalarType dtype = at::kFloat;  // of the model as it runs
};

RecordShape record_shape(const model::ModelConfig& config);

// The domains of a corpus in order of first appearance; "unknown" stands for none.
struct Domains {
  std::vector<std::string> names;
  std::vector<std::int32_t> of_document;
};
Domains list_domains(const text::TokenCorpus& corpus);

// Owns all parts; views the corpus. Not thread-safe.
class Recorder : public engine::Tap {
 public:
  // `state_folder` exists; the trace is collected there.
  Recorder(const model::ModelConfig& config, const text::TokenCorpus& corpus, const RecorderOptions& options,
           const std::filesystem::path& state_folder);

  std::string name() const override { return "record"; }
  engine::TapNeeds needs() const override;
  engine::TapMemory memory() const override;
  void on_routing(const engine::LayerView& view, const model::Routing& routing) override;
  // Throws kInput naming layer and expert if an output is not finite.
  void on_expert(const engine::LayerView& view, const model::ExpertCall& call) override;
  void on_shared(const engine::LayerView& view, const model::SharedCall& call) override;
  void on_layer_end(const engine::LayerView& view) override;
  void on_final(const engine::Batch& batch, const at::Tensor& losses) override;

  const RecordShape& shape() const { return shape_; }
  const Domains& domains() const { return domains_; }
  const ExpertCounters& counters() const { return counters_; }
  const RouterStatistics& router() const { return router_; }
  const InputTokenCounts& input_tokens() const { return input_tokens_; }
  const EvidenceCollector& evidence() const { return evidence_; }
  const LossSum& loss() const { return loss_; }
  TraceFile& trace() { return trace_; }

  // One file with everything but the trace, and `facts` as its metadata.
  void save(const std::filesystem::path& path, const std::map<std::string, std::string>& facts);
  void load(const io::SafetensorsFile& state);
  // Adds the saved state of a recorder with the same options that ran `tokens` of the same corpus, none of which this
  // one ran; the trace of that one is collected in `state_folder`. Throws kInput if it does not fit.
  void merge(const io::SafetensorsFile& state, const std::filesystem::path& state_folder, TokenRange tokens);

 private:
  static LossSum read_loss(const io::SafetensorsFile& state);

  RecorderOptions options_;
  RecordShape shape_;
  std::int64_t n_tokens_;
  Domains domains_;
  ExpertCounters counters_;
  RouterStatistics router_;
  InputTokenCounts input_tokens_;
  EvidenceCollector evidence_;
  LossSum loss_;
  TraceFile trace_;
  bool traces_batch_ = false;
};

}  // namespace moescope::record
