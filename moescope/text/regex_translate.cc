// Rewrites Oniguruma's expressions for PCRE2 (regex.h says where they differ).
#include <fmt/format.h>

#include <optional>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/text/code_point_set.h"
#include "moescope/text/regex.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

using icu::UnicodeSet;

constexpr int kMaxDepth = 100;  // of groups and nested classes

bool is_octal(char c) { return c >= '0' && c <= '7'; }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }
bool is_hexadecimal(char c) { return is_decimal(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Translator {
 public:
  explicit Translator(const std::string& expression) : in_(expression) {
    if (find_invalid_utf8(in_)) fail("is not UTF-8");
  }

  std::string run() {
    translate_group(0);
    if (at_ < in_.size()) fail("has a ')' without '('");
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw input_error("regular expression {} {} (at byte {})", io::quote_name(in_), what, at_);
  }

  bool at_end() const { return at_ >= in_.size(); }
  bool next_is(std::string_view text) const { return std::string_view(in_).substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  char take_byte() {
    if (at_end()) fail("ends too early");
    return in_[at_++];
  }
  char32_t take_character() {
    if (at_end()) fail("ends too early");
    const char32_t c = decode_utf8(in_, at_);
    at_ += utf8_length(in_[at_]);
    return c;
  }

  // Everything up to the ')' of the current group, which stays, or the end.
  void translate_group(int depth) {
    if (depth > kMaxDepth) fail("nests too deeply");
    const bool outer_ignores_case = ignores_case_;
    int n_open = 0;  // groups that options like (?i) opened: they reach to the end of this group, over every "|"
    has_atom_ = false;
    while (!at_end() && in_[at_] != ')') {
      const char c = in_[at_];
      if (c == '|') {
        ++at_;
        out_ += '|';
        has_atom_ = false;
      } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        translate_quantifier();
      } else if (c == '(') {
        n_open += translate_open(depth);
      } else {
        translate_atom();
      }
    }
    out_.append(static_cast<std::size_t>(n_open), ')');
    ignores_case_ = outer_ignores_case;
  }

  void start_atom() {
    atom_ = out_.size();
    has_atom_ = true;
    is_quantified_ = false;
  }

  // Makes one atom of the last one, so that it can be repeated once more.
  void wrap_atom() {
    out_.insert(atom_, "(?:");
    out_ += ')';
    is_quantified_ = false;
  }

  void translate_quantifier() {
    std::string quantifier;
    bool is_fixed = false;
    const bool is_interval = in_[at_] == '{';
    if (!is_interval) {
      quantifier = take_byte();
    } else if (!take_interval(&quantifier, &is_fixed)) {
      start_atom();
      out_ += "\\{";  // no interval: the character itself
      ++at_;
      return;
    }
    if (!has_atom_) fail("repeats nothing");
    if (is_quantified_) wrap_atom();
    out_ += quantifier;
    is_quantified_ = true;
    // "{n}?" and "{n,m}+" are stacked quantifiers in Oniguruma, not lazy and possessive ones.
    if (!is_fixed && take("?")) {
      out_ += '?';
    } else if (!is_interval && take("+")) {
      out_ += '+';
    }
  }

  bool take_interval(std::string* quantifier, bool* is_fixed) {
    std::size_t i = at_ + 1;
    const auto number = [&] {
      const std::size_t begin = i;
      while (i < in_.size() && is_decimal(in_[i])) ++i;
      return in_.substr(begin, i - begin);
    };
    const std::string low = number();
    std::string high = low;
    *is_fixed = true;
    if (i < in_.size() && in_[i] == ',') {
      ++i;
      high = number();
      *is_fixed = false;
    }
    if (i >= in_.size() || in_[i] != '}' || (low.empty() && high.empty())) return false;
    at_ = i + 1;
    *quantifier = *is_fixed ? "{" + low + "}" : "{" + (low.empty() ? "0" : low) + "," + high + "}";
    return true;
  }

  // At '('. Returns 1 if it was an option like (?i), for which a group stays open.
  int translate_open(int depth) {
    const std::size_t begin = out_.size();
    const bool outer_ignores_case = ignores_case_;
    if (take("(?#")) {
      while (take_byte() != ')') {
      }
      return 0;
    }
    bool is_group = false;
    for (const char* opening : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"}) {
      if (!is_group && take(opening)) {
        out_ += opening;
        is_group = true;
      }
    }
    if (!is_group && take("(?<")) {
      out_ += "(?<" + take_name('>') + ">";
    } else if (!is_group && take("(?")) {
      if (!take_options()) return 1;
    } else if (!is_group) {
      take("(");
      out_ += '(';
    }
    translate_group(depth + 1);
    if (!take(")")) fail("has a '(' without ')'");
    out_ += ')';
    ignores_case_ = outer_ignores_case;
    atom_ = begin;
    has_atom_ = true;
    is_quantified_ = false;
    return 0;
  }

  std::string take_name(char end) {
    std::string name;
    while (!at_end() && in_[at_] != end) name += take_byte();
    if (!take(std::string_view(&end, 1))) fail("has a name without an end");
    return name;
  }

  // Behind "(?": "i-m:" opens a group (true); "i-m)" holds to the end of the surrounding one (false).
  bool take_options() {
    std::string on, off;
    bool is_on = true;
    for (;;) {
      const char c = take_byte();
      if (c == ')' || c == ':') {
        out_ += "(?" + on + (off.empty() ? "" : "-" + off) + ":";
        has_atom_ = false;
        return c == ':';
      }
      if (c == '-') {
        is_on = false;
      } else if (c == 'i') {
        (is_on ? on : off) += 'i';
        ignores_case_ = is_on;
      } else if (c == 'm') {
        (is_on ? on : off) += 's';  // Oniguruma's "m" lets "." match a line end
      } else {
        fail(fmt::format("has the unsupported group {}", io::quote_name("(?" + std::string(1, c))));
      }
    }
  }

  void translate_atom() {
    const char c = in_[at_];
    if (c == '^' || c == '$') {  // as with PCRE2_MULTILINE
      ++at_;
      start_atom();
      out_ += c;
    } else if (c == '.') {
      ++at_;
      start_atom();
      out_ += '.';
    } else if (c == '[') {
      ++at_;
      const UnicodeSet set = take_class(0);
      write_set(set);
    } else if (c == '\\') {
      ++at_;
      translate_escape();
    } else {
      write_literal(take_character());
    }
  }

  void write_set(const UnicodeSet& set) {
    start_atom();
    // Case is folded in the set already; PCRE2 would fold properties too.
    out_ += ignores_case_ ? "(?-i:" + to_pcre_class(set) + ")" : to_pcre_class(set);
  }

  void write_literal(char32_t c) {
    start_atom();
    out_ += fmt::format("\\x{{{:X}}}", static_cast<std::uint32_t>(c));
  }

  void translate_escape() {
    const std::size_t begin = at_;
    const char c = take_byte();
    switch (c) {
      case 'A':
      case 'z':
      case 'Z':
      case 'G':
      case 'K':
      case 'X': start_atom(), out_ += std::string("\\") + c; return;
      case 'b':
      case 'B': return write_boundary(c == 'b');
      case 'R': start_atom(), out_ += "(?>\\x0D\\x0A|[\\x0A-\\x0D\\x{85}\\x{2028}\\x{2029}])"; return;
      case 'N': start_atom(), out_ += "[^\\x0A]"; return;
      case 'O': start_atom(), out_ += "(?s:.)"; return;
      case 'k':
        if (!take("<")) break;
        start_atom(), out_ += "\\k<" + take_name('>') + ">";
        return;
      case 'g':
      case 'y':
      case 'Y':
      case 'C':
      case 'M':
      case 'c': fail(fmt::format("has the unsupported escape \\{}", c));
      default: break;
    }
    if (c >= '1' && c <= '9' &&
        !(is_octal(c) && at_ + 1 < in_.size() && is_octal(in_[at_]) && is_octal(in_[at_ + 1]))) {
      if (!at_end() && is_decimal(in_[at_])) fail("has a reference above 9");
      start_atom(), out_ += std::string("\\") + c;
      return;
    }
    at_ = begin;
    if (const auto set = take_set_escape(false)) return write_set(*set);
    write_literal(take_literal_escape());
  }

  // A word boundary written out, because PCRE2's \b goes by another \w.
  void write_boundary(bool is_boundary) {
    start_atom();
    const std::string word = to_pcre_class(escape_set('w'));
    out_ += is_boundary ? "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))"
                        : "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))";
  }

  // Behind a backslash: \s \S \d \D \w \W \h \H \p{...} \P{...}; nothing (and nothing taken) for other escapes.
  std::optional<UnicodeSet> take_set_escape(bool in_class) {
    if (at_end()) fail("ends with a backslash");
    const char c = in_[at_];
    if ((c == 'p' || c == 'P') && at_ + 1 < in_.size() && in_[at_ + 1] == '{') {
      at_ += 2;
      const bool is_inverted = take("^") != (c == 'P');
      const std::string name = take_name('}');
      auto set = named_set(name, false);
      if (!set) fail(fmt::format("has the unknown property {}", io::quote_name(name)));
      return is_inverted ? UnicodeSet(set->complement()) : *set;
    }
    const auto lower = static_cast<char>(c | 0x20);
    if (lower != 's' && lower != 'd' && lower != 'w' && lower != 'h') return std::nullopt;
    ++at_;
    UnicodeSet set = in_class && lower == 'w' ? *named_set("word", true) : escape_set(lower);
    return c == lower ? set : UnicodeSet(set.complement());
  }

  // Behind a backslash: an escape that stands for one character.
  char32_t take_literal_escape() {
    const char32_t c = take_character();
    switch (c) {
      case 't': return '\t';
      case 'n': return '\n';
      case 'r': return '\r';
      case 'f': return '\f';
      case 'v': return '\v';
      case 'a': return '\a';
      case 'e': return 0x1B;
      case 'x': return take("{") ? take_digits(8, 16, true) : take_digits(2, 16, false);
      case 'u': return take_digits(4, 16, false);
      case 'o': return take("{") ? take_digits(11, 8, true) : c;
      default: break;
    }
    if (c < 0x80 && is_octal(static_cast<char>(c))) {
      --at_;
      return take_digits(3, 8, false);
    }
    return c;  // any other character stands for itself
  }

  char32_t take_digits(int n_max, unsigned base, bool is_braced) {
    std::string digits;
    const auto is_digit = [base](char c) { return base == 16 ? is_hexadecimal(c) : is_octal(c); };
    while (!at_end() && static_cast<int>(digits.size()) < n_max && is_digit(in_[at_])) digits += take_byte();
    if (is_braced && (digits.empty() || !take("}"))) fail("has a malformed code point");
    const unsigned long value = digits.empty() ? 0 : std::stoul(digits, nullptr, static_cast<int>(base));
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail("has a number that is no character");
    return static_cast<char32_t>(value);
  }

  // Behind '[': the set of a class, its ']' taken.
  UnicodeSet take_class(int depth) {
    if (depth > kMaxDepth) fail("nests too deeply");
    const bool is_inverted = take("^");
    UnicodeSet set;
    std::optional<UnicodeSet> left;  // of "&&"
    bool is_first = true;
    for (; is_first || !next_is("]"); is_first = false) {
      if (at_end()) fail("has a '[' without ']'");
      if (take("&&")) {
        left = left ? UnicodeSet(left->retainAll(set)) : set;
        set.clear();
      } else if (take("[:")) {
        set.addAll(take_bracket());
      } else if (take("[")) {
        set.addAll(take_class(depth + 1));
      } else {
        take_class_item(set);
      }
    }
    take("]");
    if (left) set.retainAll(*left);
    if (ignores_case_) set.closeOver(USET_CASE_INSENSITIVE).removeAllStrings();
    return is_inverted ? UnicodeSet(set.complement()) : set;
  }

  UnicodeSet take_bracket() {
    const bool is_inverted = take("^");
    const std::string name = take_name(':');
    auto set = named_set(name, true);
    if (!set || !take("]")) fail(fmt::format("has the unknown class {}", io::quote_name(name)));
    return is_inverted ? UnicodeSet(set->complement()) : *set;
  }

  // One character, a range of them, or an escape that stands for many.
  void take_class_item(UnicodeSet& set) {
    if (take("\\")) {
      if (const auto escape = take_set_escape(true)) {
        set.addAll(*escape);
        if (next_is("-") && !next_is("-]")) fail("has a range that starts with a class");
        return;
      }
      --at_;
    }
    const char32_t first = take_class_character();
    char32_t last = first;
    if (next_is("-") && !next_is("-]") && !next_is("-[")) {
      take("-");
      last = take_class_character();
      if (last < first) fail("has a range that ends before it starts");
    }
    set.add(static_cast<UChar32>(first), static_cast<UChar32>(last));
  }

  char32_t take_class_character() {
    if (!take("\\")) return take_character();
    const std::size_t begin = at_;
    if (take_set_escape(true)) fail("has a range that ends with a class");
    at_ = begin;
    if (take("b")) return '\b';
    return take_literal_escape();
  }

  const std::string& in_;
  std::size_t at_ = 0;
  std::string out_;
  bool ignores_case_ = false;
  bool has_atom_ = false, is_quantified_ = false;
  std::size_t atom_ = 0;  // where the last atom starts in out_
};

}  // namespace

std::string translate_oniguruma(const std::string& expression) { return Translator(expression).run(); }

}  // namespace moescope::text
