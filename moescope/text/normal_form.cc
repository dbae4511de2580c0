#include "moescope/text/normal_form.h"

#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <limits>

#include "moescope/base/error.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

// ICU's data, restricted to Unicode 9. Immutable after construction.
class Normalizers {
 public:
  Normalizers() {
    UErrorCode status = U_ZERO_ERROR;
    known_.applyPattern(UNICODE_STRING_SIMPLE("[:age=9.0:]"), status).freeze();
    const icu::Normalizer2* forms[] = {
        icu::Normalizer2::getNFCInstance(status), icu::Normalizer2::getNFDInstance(status),
        icu::Normalizer2::getNFKCInstance(status), icu::Normalizer2::getNFKDInstance(status)};
    if (U_FAILURE(status)) throw environment_error("ICU has no normalisation data: {}", u_errorName(status));
    for (const icu::Normalizer2* form : forms) forms_.emplace_back(*form, known_);
  }

  const icu::FilteredNormalizer2& form(NormalForm form) const { return forms_[static_cast<std::size_t>(form)]; }

 private:
  icu::UnicodeSet known_;
  std::vector<icu::FilteredNormalizer2> forms_;  // in the order of NormalForm
};

struct Item {
  char32_t character;
  int change;  // as in ChangedCharacter
  std::uint8_t combining_class;
};

constexpr char32_t kFirstCombining = 0x300;  // below it nothing combines, and NFC changes nothing

bool is_composed(NormalForm form) { return form == NormalForm::kNfc || form == NormalForm::kNfkc; }
bool is_compatible(NormalForm form) { return form == NormalForm::kNfkc || form == NormalForm::kNfkd; }

bool is_normalized(NormalForm form, const icu::Normalizer2& data, std::string_view text) {
  const char32_t inert_below = form == NormalForm::kNfc ? kFirstCombining : 0x80;
  bool is_inert = true;
  for (std::size_t i = 0; i < text.size() && is_inert; i += utf8_length(text[i])) {
    is_inert = decode_utf8(text, i) < inert_below;
  }
  if (is_inert) return true;
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) return false;  // ICU's limit
  UErrorCode status = U_ZERO_ERROR;
  return data.isNormalizedUTF8({text.data(), static_cast<std::int32_t>(text.size())}, status) && U_SUCCESS(status);
}

// Full decomposition, combining characters in canonical order. The first character of a decomposition replaces the
// old one, the others are inserted; each keeps its change when it is sorted.
std::vector<Item> decompose(const icu::Normalizer2& data, std::string_view text) {
  std::vector<Item> items;
  std::size_t n_sorted = 0;  // all before are in their final order
  const auto sort_marks = [&] {
    const auto by_class = [](const Item& a, const Item& b) { return a.combining_class < b.combining_class; };
    std::stable_sort(items.begin() + static_cast<std::ptrdiff_t>(n_sorted), items.end(), by_class);
    n_sorted = items.size();
  };
  const auto push = [&](char32_t c, int change) {
    const std::uint8_t combining = c < kFirstCombining ? 0 : data.getCombiningClass(static_cast<UChar32>(c));
    if (combining == 0) sort_marks();
    items.push_back({c, change, combining});
    if (combining == 0) n_sorted = items.size();
  };
  icu::UnicodeString decomposed;
  for (std::size_t i = 0; i < text.size(); i += utf8_length(text[i])) {
    const char32_t c = decode_utf8(text, i);
    if (c < 0x80 || !data.getDecomposition(static_cast<UChar32>(c), decomposed)) {
      push(c, 0);
      continue;
    }
    for (std::int32_t k = 0; k < decomposed.length(); k = decomposed.moveIndex32(k, 1)) {
      push(static_cast<char32_t>(decomposed.char32At(k)), k == 0 ? 0 : 1);
    }
  }
  sort_marks();
  return items;
}

// Canonical composition. A composed character takes over what both of its parts replaced: with c characters removed
// behind it (change -c), a part that was inserted (+1) adds none, one that replaced adds one.
std::vector<Item> compose(const icu::Normalizer2& data, const std::vector<Item>& items) {
  std::vector<Item> out;
  out.reserve(items.size());
  bool has_starter = false, has_between = false;
  std::size_t starter = 0;
  for (const Item& item : items) {
    const bool is_blocked = has_between && out.back().combining_class >= item.combining_class;
    if (has_starter && !is_blocked && item.character >= kFirstCombining) {
      const UChar32 composed =
          data.composePair(static_cast<UChar32>(out[starter].character), static_cast<UChar32>(item.character));
      if (composed >= 0) {
        out[starter].character = static_cast<char32_t>(composed);
        out[starter].change += item.change - 1;
        continue;
      }
    }
    has_between = item.combining_class != 0;
    if (item.combining_class == 0) {
      has_starter = true;
      starter = out.size();
    }
    out.push_back(item);
  }
  return out;
}

}  // namespace

void normalize(NormalForm form, AlignedText& text) {
  static const Normalizers normalizers;
  const icu::Normalizer2& data = normalizers.form(form);
  if (is_normalized(form, data, text.text())) return;
  // Decompositions are asked from the composing form: ICU keeps both there.
  const auto& decomposer = normalizers.form(is_compatible(form) ? NormalForm::kNfkc : NormalForm::kNfc);
  std::vector<Item> items = decompose(decomposer, text.text());
  if (is_composed(form)) items = compose(decomposer, items);
  std::vector<ChangedCharacter> characters;
  characters.reserve(items.size());
  for (const Item& item : items) characters.push_back({item.character, item.change});
  text.change_all(characters, 0);
}

}  // namespace moescope::text
