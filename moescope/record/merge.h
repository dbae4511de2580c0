// Puts the shards of a recording together. A shard is a range of a run's sequences, recorded by itself, on another
// machine perhaps: it reads the whole corpus, so that its windows, documents and domains have the numbers that they
// have in the run and its evidence is drawn with the run's hashes, and runs only its range. Its saved state says where
// it begins and ends.
//
// What comes out is the state of one recording over everything: counts, co-activation, token counts, domains, evidence
// and trace are those of that recording (to the bit where the model's outputs are: waves and batches may change their
// rounding), sums of reals are within float64 rounding of it (counters.h says the bound). The order in which shards are
// named does not matter, not even to the last bit. Memory is that of one recorder: shards stay in their mapped files.
//
// Non-goals: parts of different corpora, or of one corpus cut by anything but sequences; running the shards.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "moescope/record/recorder.h"
#include "moescope/record/resume.h"
#include "moescope/text/windows.h"

namespace moescope::record {

// Adds the saved states of `shards`, run directories, to `whole`, which is empty, and returns where they stand
// together: at the end of the corpus. Saved in a run directory of its own, `record` with the run's options finishes it.
// Throws kInput before it adds anything if a shard has no state, is of another run than `identity`, or if a sequence is
// in none of them or in two; and if a state does not fit the recorder, which is spoilt then.
Coverage merge_shards(const std::vector<std::filesystem::path>& shards, const nlohmann::json& identity,
                      const text::TokenCorpus& corpus, Recorder& whole);

}  // namespace moescope::record
