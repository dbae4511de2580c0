// The readers behind read_run_data, one a file of the run directory; each fills its part of RunData and throws kInput
// for what contradicts the contract. Internal to the room.
#pragma once

#include "moescope/report/run/run_data.h"

namespace moescope::report {

void read_experts_csv(RunData& data);
void read_layers_csv(RunData& data);
void read_domains_csv(RunData& data);
void read_input_tokens(RunData& data);
void read_coactivation(RunData& data);
void read_evidence(RunData& data);
void read_documents(RunData& data);  // after read_evidence
void read_labels(RunData& data);
void read_label_summary(RunData& data);

}  // namespace moescope::report
