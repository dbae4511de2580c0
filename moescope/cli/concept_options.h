// Which concepts rules may speak of.
#pragma once

#include <filesystem>
#include <optional>

#include "moescope/base/options.h"
#include "moescope/text/concepts.h"

namespace moescope::cli {

struct ConceptOptions {
  std::filesystem::path concepts;  // empty: built in
  bool no_concepts = false;

  void describe(OptionList& list) {
    list.add("concepts", concepts, "concept file instead of the built-in one", {.excludes = "no-concepts"});
    list.add("no-concepts", no_concepts, "learn without concepts");
  }
  // Throws kInput for a file that is none.
  std::optional<text::ConceptLibrary> load() const {
    if (no_concepts) return std::nullopt;
    return concepts.empty() ? text::ConceptLibrary::built_in() : text::ConceptLibrary::load(concepts);
  }
};

}  // namespace moescope::cli
