#include "moescope/text/code_point_set.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include <cctype>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/text/unicode.h"
#include "moescope/text/unicode_tables.h"

namespace moescope::text {
namespace {

using icu::UnicodeSet;

UChar32 as_icu(char32_t c) { return static_cast<UChar32>(c); }

std::uint32_t category_mask(const char* name) {
  const std::int32_t value = u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, name);
  return value == UCHAR_INVALID_CODE ? 0 : static_cast<std::uint32_t>(value);
}

UnicodeSet property_set(UProperty property, std::int32_t value) {
  UErrorCode status = U_ZERO_ERROR;
  UnicodeSet set;
  set.applyIntPropertyValue(property, value, status);
  if (U_FAILURE(status)) throw environment_error("ICU cannot list a character property: {}", u_errorName(status));
  return set;
}

UnicodeSet category_set(std::uint32_t mask) {
  UnicodeSet set = property_set(UCHAR_GENERAL_CATEGORY_MASK, static_cast<std::int32_t>(mask));
  for (const CategoryRange& newer : kNewerCategories) {
    if ((category_mask(newer.name) & mask) != 0) {
      set.add(as_icu(newer.first), as_icu(newer.last));
    } else {
      set.remove(as_icu(newer.first), as_icu(newer.last));
    }
  }
  return set;
}

UnicodeSet category_set(const char* name) { return category_set(category_mask(name)); }

UnicodeSet script_set(std::int32_t script) {
  UnicodeSet set = property_set(UCHAR_SCRIPT, script);
  for (const CategoryRange& newer : kNewerScripts) {
    const bool is_same = u_getPropertyValueEnum(UCHAR_SCRIPT, newer.name) == script;
    is_same ? set.add(as_icu(newer.first), as_icu(newer.last)) : set.remove(as_icu(newer.first), as_icu(newer.last));
  }
  return set;
}

UnicodeSet alphabetic_set() {
  UnicodeSet set = category_set("L").addAll(category_set("Nl"));
  for (const CodePointRange& range : kOtherAlphabetic) set.add(as_icu(range.first), as_icu(range.last));
  return set;
}

UnicodeSet binary_set(UProperty property) {
  if (property == UCHAR_ALPHABETIC) return alphabetic_set();
  UnicodeSet set = property_set(property, 1);
  if (property == UCHAR_LOWERCASE) set.addAll(category_set("Ll"));
  if (property == UCHAR_UPPERCASE) set.addAll(category_set("Lu"));
  return set;
}

UnicodeSet space_set() {
  UnicodeSet set;
  for (char32_t c = 0; c <= 0x3000; ++c) {
    if (is_white_space(c)) set.add(as_icu(c));
  }
  return set;
}

UnicodeSet word_set() {
  UnicodeSet set = binary_set(UCHAR_ALPHABETIC);
  return set.addAll(category_set("M")).addAll(category_set("Nd")).addAll(category_set("Pc"));
}

UnicodeSet graph_set() {
  UnicodeSet set = space_set();
  set.addAll(category_set("Cc")).addAll(category_set("Cn")).addAll(category_set("Cs")).complement();
  return set;
}

std::optional<UnicodeSet> posix_set(const std::string& name, bool is_bracket) {
  if (name == "alnum") return binary_set(UCHAR_ALPHABETIC).addAll(category_set("Nd"));
  if (name == "alpha") return binary_set(UCHAR_ALPHABETIC);
  if (name == "any") return UnicodeSet(0, 0x10FFFF);
  if (name == "ascii") return UnicodeSet(0, 0x7F);
  if (name == "assigned") return UnicodeSet(category_set("Cn").complement());
  if (name == "blank") return category_set("Zs").add('\t');
  if (name == "cntrl") return category_set("Cc");
  if (name == "digit") return category_set("Nd");
  if (name == "graph") return graph_set();
  if (name == "lower") return binary_set(UCHAR_LOWERCASE);
  if (name == "print") return graph_set().addAll(category_set("Zs"));
  if (name == "punct") return is_bracket ? category_set("P").addAll(category_set("S")) : category_set("P");
  if (name == "space" || name == "whitespace") return space_set();
  if (name == "upper") return binary_set(UCHAR_UPPERCASE);
  if (name == "word") return is_bracket ? word_set() : escape_set('w');
  if (name == "xdigit") return escape_set('h');
  return std::nullopt;
}

// Names are compared without case, spaces, hyphens and underscores.
std::string fold_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c != ' ' && c != '-' && c != '_') out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return out;
}

std::string range_text(UChar32 first, UChar32 last) {
  return first == last ? fmt::format("\\x{{{:X}}}", first) : fmt::format("\\x{{{:X}}}-\\x{{{:X}}}", first, last);
}

// What the inside of a class needs: single bytes as ranges (PCRE2 looks them up in a bitmap), then whole categories,
// then the rest as ranges.
std::string class_items(const UnicodeSet& set) {
  struct Category {
    std::string name;
    UnicodeSet all;    // as Oniguruma knows it
    UnicodeSet known;  // as every PCRE2 since 10.40 (Unicode 14) knows it
  };
  static const std::vector<Category> categories = [] {
    std::vector<Category> out;
    UErrorCode status = U_ZERO_ERROR;
    // Not Mn and Mc: U+1171E moved between them after Unicode 14.
    const UnicodeSet unicode_14(UNICODE_STRING_SIMPLE("[:age=14.0:]"), status);
    for (const char* name :
         {"L",  "M",  "N",  "P",  "S",  "Z",  "Ll", "Lu", "Lt", "Lm", "Lo", "Me", "Nd", "Nl", "No",
          "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Cc", "Cf", "Co"}) {
      const UnicodeSet all = category_set(name);
      out.push_back({name, all, UnicodeSet(all).retainAll(unicode_14)});
    }
    return out;
  }();
  UnicodeSet rest = set;
  rest.remove(0xD800, 0xDFFF);
  std::string items;
  const auto write_ranges = [&items](const UnicodeSet& ranges) {
    for (std::int32_t i = 0; i < ranges.getRangeCount(); ++i) {
      items += range_text(ranges.getRangeStart(i), ranges.getRangeEnd(i));
    }
  };
  write_ranges(UnicodeSet(rest).retain(0, 0xFF));
  rest.remove(0, 0xFF);
  for (const Category& category : categories) {
    if (!set.containsAll(category.all) || !rest.containsSome(category.known)) continue;
    items += "\\p{" + category.name + "}";
    rest.removeAll(category.known);
  }
  write_ranges(rest);
  return items;
}

}  // namespace

icu::UnicodeSet escape_set(char letter) {
  switch (letter) {
    case 's': return space_set();
    case 'd': return category_set("Nd");
    case 'h': return UnicodeSet('0', '9').add('A', 'F').add('a', 'f');
    default:
      MOESCOPE_ASSERT(letter == 'w');
      // Outside brackets Oniguruma counts the superscript digits and fractions of Latin-1 as word characters too.
      return word_set().add(0xB2, 0xB3).add(0xB9).add(0xBC, 0xBE);
  }
}

std::optional<icu::UnicodeSet> named_set(const std::string& name, bool is_bracket) {
  if (auto set = posix_set(fold_name(name), is_bracket)) return set;
  if (is_bracket) return std::nullopt;
  if (const std::uint32_t mask = category_mask(name.c_str()); mask != 0) return category_set(mask);
  const std::int32_t script = u_getPropertyValueEnum(UCHAR_SCRIPT, name.c_str());
  if (script != UCHAR_INVALID_CODE) return script_set(script);
  const UProperty property = u_getPropertyEnum(name.c_str());
  if (property >= UCHAR_BINARY_START && property < UCHAR_BINARY_LIMIT) return binary_set(property);
  if (name.starts_with("In")) {
    const char* block = name.c_str() + (name.starts_with("In_") ? 3 : 2);
    const std::int32_t value = u_getPropertyValueEnum(UCHAR_BLOCK, block);
    if (value != UCHAR_INVALID_CODE) return property_set(UCHAR_BLOCK, value);
  }
  return std::nullopt;
}

std::string to_pcre_class(const icu::UnicodeSet& set) {
  const std::string items = class_items(set);
  const std::string others = class_items(UnicodeSet(set).complement());
  if (others.empty()) return "(?s:.)";
  if (items.empty()) return "(?!)";
  return items.size() <= others.size() ? "[" + items + "]" : "[^" + others + "]";
}

}  // namespace moescope::text
