// A text on its way through the pipeline: cut into splits, some of which are added tokens already.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "moescope/text/aligned_text.h"

namespace moescope::text {

// Bytes [begin, end) of an AlignedText.
struct Split {
  const AlignedText* text = nullptr;
  std::size_t begin = 0, end = 0;
  std::int32_t added_token = -1;  // its id, if this is one; then nothing changes or cuts the split any more
  bool is_bytes = false;          // stands for its byte_level.h characters (only ever set by the last pre-tokenizer)

  std::string_view view() const { return text->text().substr(begin, end - begin); }
};

// Owns the texts that splits point into. One encode call uses it; not thread-safe.
class PreTokenized {
 public:
  explicit PreTokenized(std::string_view given) {
    texts_.emplace_back(given);
    splits_.push_back({&texts_.back(), 0, given.size()});
  }

  const std::vector<Split>& splits() const { return splits_; }

  // Replaces each split that is no added token by what `cut(split, out)` appends to `out`; empty splits go.
  template <typename Cut>
  void replace_splits(const Cut& cut) {
    std::vector<Split> out;
    out.reserve(splits_.size());
    for (const Split& split : splits_) {
      if (split.added_token >= 0) {
        out.push_back(split);
      } else {
        cut(split, out);
      }
    }
    std::erase_if(out, [](const Split& split) { return split.added_token < 0 && split.begin == split.end; });
    splits_ = std::move(out);
  }

  // A changeable copy of a split's text that lives as long as this object.
  AlignedText& copy_of(const Split& split) { return texts_.emplace_back(*split.text, split.begin, split.end); }

 private:
  std::deque<AlignedText> texts_;  // addresses must stay
  std::vector<Split> splits_;
};

}  // namespace moescope::text
