// The readers behind read_reported_run, one a file of the run directory; each fills its part of ReportedRun and throws
// kInput for what contradicts the contract. Internal to the room.
#pragma once

#include "moescope/report/run/reported_run.h"

namespace moescope::report {

void read_experts_csv(ReportedRun& data);
void read_layers_csv(ReportedRun& data);
void read_domains_csv(ReportedRun& data);
void read_input_tokens(ReportedRun& data);
void read_coactivation(ReportedRun& data);
void read_evidence(ReportedRun& data);
void read_documents(ReportedRun& data);  // after read_evidence
void read_labels(ReportedRun& data);
void read_label_summary(ReportedRun& data);

}  // namespace moescope::report
