// The list of every file that a run of any kind writes: its name, who writes it, what is in it. Who a file in a folder
// belongs to, and the tables of docs/run-directory.md, come from here.
#pragma once

#include <string>
#include <vector>

#include "moescope/run/describe.h"
#include "moescope/run/tensor_file.h"

namespace moescope::run {

// Fields of an object inside a JSON file, such as `model` of run.json.
struct PartAbout {
  std::string name;
  std::vector<FieldAbout> fields;
};

struct FileAbout {
  std::string name;                  // "experts.csv"
  std::string written_by;            // "record"
  std::string what;                  // one line
  bool has_parquet = false;          // a twin of the same columns, NAME.parquet, where Arrow is built in
  std::vector<FieldAbout> fields;    // of a table, or of JSON
  std::vector<PartAbout> parts;      // of JSON
  std::vector<TensorAbout> tensors;  // of safetensors
};

// In the order in which they are documented.
const std::vector<FileAbout>& all_files();

// Whether a name in a folder is one that a run writes: its files, their temporary names, and the folders of the state
// that a stopped run goes on from.
bool belongs_to_a_run(const std::string& name);

// The tables of docs/run-directory.md, in Markdown: what files there are, and what is in each.
std::string documentation();

}  // namespace moescope::run
