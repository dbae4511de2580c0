#include "moescope/base/error.h"
#include "moescope/io/document_source.h"

namespace moescope::io {
std::unique_ptr<DocumentReader> open_system_corpus(const CorpusOptions&) { throw environment_error("not yet"); }
}  // namespace moescope::io
