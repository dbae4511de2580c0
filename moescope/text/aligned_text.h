// Text under change that knows, for each of its bytes, which part of the given text it comes from. Normalizers and
// pre-tokenizers change it; token offsets are read off in the end.
//
// It follows Hugging Face's NormalizedString (tokenizers/src/tokenizer/normalizer.rs), odd cases included, because
// offsets must be the same. Unlike it, unchanged text carries no table and slices are views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/text/pattern.h"

namespace moescope::text {

// Bytes [begin, end) of the given text.
struct Span {
  std::uint32_t begin = 0, end = 0;
  bool operator==(const Span&) const = default;
};

constexpr std::size_t kMaxTextBytes = 0xFFFFFFFEu;  // what Span can hold

// One character of a changed text and how it came about.
//   change 0: it replaces the next old character; -n: so it does, and the n old ones behind that are gone;
//   +1: it is inserted and shares the span of the old character before it.
struct ChangedCharacter {
  char32_t character;
  int change;
};

// Not copyable: slices of it point into it. Not thread-safe.
class AlignedText {
 public:
  // Unchanged text (viewed, not copied) whose first byte is byte `origin` of the given text.
  explicit AlignedText(std::string_view unchanged, std::uint32_t origin = 0)
      : view_(unchanged), origin_(origin), original_size_(static_cast<std::uint32_t>(unchanged.size())) {}
  // A copy of bytes [begin, end) of `whole`, to be changed on its own.
  AlignedText(const AlignedText& whole, std::size_t begin, std::size_t end);
  AlignedText(const AlignedText&) = delete;
  AlignedText& operator=(const AlignedText&) = delete;

  std::string_view text() const { return view_; }
  bool is_unchanged() const { return !is_changed_; }
  // Where it starts in the given text.
  std::uint32_t origin() const { return origin_; }

  // The given text's bytes that byte `i` of this text comes from: always whole characters.
  Span span(std::size_t i) const;

  // Replaces bytes [begin, end) by `characters`; `n_removed` old characters go before the first of them.
  void change(std::size_t begin, std::size_t end, const std::vector<ChangedCharacter>& characters,
              std::size_t n_removed);
  // The same for the whole text.
  void change_all(const std::vector<ChangedCharacter>& characters, std::size_t n_removed);

  // Puts `content` in the place of every match. It shares the span of the last character that it replaces, or, for an
  // empty match, of what stands before it.
  void replace_matches(const std::vector<PatternPart>& parts, std::string_view content);

  // Puts `text` before a non-empty text; it shares the span of the first character.
  void prepend(std::string_view text);

 private:
  void own();
  void view() { view_ = owned_; }

  std::string_view view_;
  std::string owned_;
  std::vector<Span> spans_;  // one a byte; empty while unchanged
  bool is_changed_ = false;
  std::uint32_t origin_ = 0;         // where the slice starts in the given text
  std::uint32_t original_size_ = 0;  // bytes of the given text that the slice covers
};

}  // namespace moescope::text
