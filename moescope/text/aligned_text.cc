#include "moescope/text/aligned_text.h"

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/text/unicode.h"

namespace moescope::text {

AlignedText::AlignedText(const AlignedText& whole, std::size_t begin, std::size_t end) {
  if (whole.is_unchanged()) {
    view_ = whole.view_.substr(begin, end - begin);
    origin_ = whole.origin_ + static_cast<std::uint32_t>(begin);
    original_size_ = static_cast<std::uint32_t>(end - begin);
    return;
  }
  owned_ = whole.view_.substr(begin, end - begin);
  view();
  is_changed_ = true;
  if (begin == end) {
    origin_ = whole.origin_;
    return;
  }
  spans_.assign(whole.spans_.begin() + static_cast<std::ptrdiff_t>(begin),
                whole.spans_.begin() + static_cast<std::ptrdiff_t>(end));
  origin_ = spans_.front().begin;
  original_size_ = spans_.back().end - origin_;
}

Span AlignedText::span(std::size_t i) const {
  MOESCOPE_ASSERT(i < view_.size());
  if (!is_unchanged()) return spans_[i];
  std::size_t begin = i;
  while (is_continuation(view_[begin])) --begin;
  const std::size_t end = begin + utf8_length(view_[begin]);
  return {origin_ + static_cast<std::uint32_t>(begin), origin_ + static_cast<std::uint32_t>(end)};
}

void AlignedText::own() {
  if (!is_unchanged()) return;
  owned_ = view_;
  spans_.reserve(owned_.size());
  for (std::size_t i = 0; i < owned_.size();) {
    const Span here = span(i);
    spans_.insert(spans_.end(), here.end - here.begin, here);
    i += here.end - here.begin;
  }
  view();
  is_changed_ = true;
}

void AlignedText::change(std::size_t begin, std::size_t end, const std::vector<ChangedCharacter>& characters,
                         std::size_t n_removed) {
  own();
  // `old` walks over the replaced characters. As in the reference, inserted characters look at the byte before it,
  // even before `begin`; only at the very start of the text there is none.
  std::size_t old = begin;
  const auto skip = [&](std::size_t n) {
    for (; n > 0 && old < end; --n) old += utf8_length(owned_[old]);
  };
  skip(n_removed);
  std::string text;
  std::vector<Span> spans;
  for (const auto& [character, kind] : characters) {
    Span here{origin_, origin_};
    if (kind > 0) {
      if (old > 0) here = spans_[old - 1];
    } else {
      here = old < spans_.size() ? spans_[old] : Span{origin_ + original_size_, origin_ + original_size_};
      skip(1 + static_cast<std::size_t>(-kind));
    }
    append_utf8(character, text);
    spans.insert(spans.end(), utf8_length(character), here);
  }
  const auto at = [](auto& sequence, std::size_t i) { return sequence.begin() + static_cast<std::ptrdiff_t>(i); };
  owned_.replace(begin, end - begin, text);
  if (spans.size() == end - begin) {
    std::copy(spans.begin(), spans.end(), at(spans_, begin));
  } else {
    spans_.erase(at(spans_, begin), at(spans_, end));
    spans_.insert(at(spans_, begin), spans.begin(), spans.end());
  }
  view();
}

void AlignedText::change_all(const std::vector<ChangedCharacter>& characters, std::size_t n_removed) {
  change(0, view_.size(), characters, n_removed);
}

void AlignedText::replace_matches(const std::vector<PatternPart>& parts, std::string_view content) {
  const bool has_match = std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.is_match; });
  if (!has_match) return;
  own();
  std::string text;
  std::vector<Span> spans;
  spans.reserve(spans_.size());
  for (const PatternPart& part : parts) {
    if (part.is_match) {
      Span here{origin_, origin_};
      if (part.end > part.begin) {
        here = spans_[part.end - 1];
      } else if (!spans.empty()) {
        here = spans.back();
      }
      text += content;
      spans.insert(spans.end(), content.size(), here);
    } else {
      text.append(owned_, part.begin, part.end - part.begin);
      spans.insert(spans.end(), spans_.begin() + static_cast<std::ptrdiff_t>(part.begin),
                   spans_.begin() + static_cast<std::ptrdiff_t>(part.end));
    }
  }
  owned_ = std::move(text);
  spans_ = std::move(spans);
  view();
}

void AlignedText::prepend(std::string_view text) {
  if (view_.empty()) return;
  std::vector<ChangedCharacter> characters;
  for (std::size_t i = 0; i < text.size(); i += utf8_length(text[i])) {
    characters.push_back({decode_utf8(text, i), i == 0 ? 0 : 1});
  }
  characters.push_back({decode_utf8(view_, 0), 1});
  change(0, utf8_length(view_[0]), characters, 0);
}

}  // namespace moescope::text
