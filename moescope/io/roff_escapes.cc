#include <charconv>
#include <unordered_map>

#include "moescope/io/roff.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

// Named characters, \(xx or \[xx], and predefined strings, \*(xx.
const std::unordered_map<std::string_view, std::string_view>& named_characters() {
  static const std::unordered_map<std::string_view, std::string_view> kNames = {
      {"aq", "'"},  {"dq", "\""}, {"lq", "“"},  {"rq", "”"}, {"oq", "‘"}, {"cq", "’"},  {"em", "—"},   {"en", "–"},
      {"hy", "-"},  {"mi", "-"},  {"pl", "+"},  {"eq", "="}, {"bu", "•"}, {"co", "©"},  {"rg", "®"},   {"tm", "™"},
      {"de", "°"},  {"mc", "µ"},  {"mu", "×"},  {"di", "÷"}, {"+-", "±"}, {"<=", "≤"},  {">=", "≥"},   {"!=", "≠"},
      {"==", "≡"},  {"->", "→"},  {"<-", "←"},  {"ua", "↑"}, {"da", "↓"}, {"rs", "\\"}, {"sl", "/"},   {"ba", "|"},
      {"bv", "|"},  {"br", "|"},  {"ul", "_"},  {"ru", "_"}, {"rn", "‾"}, {"ha", "^"},  {"ti", "~"},   {"ga", "`"},
      {"aa", "´"},  {"at", "@"},  {"sh", "#"},  {"Do", "$"}, {"lB", "["}, {"rB", "]"},  {"lC", "{"},   {"rC", "}"},
      {"la", "⟨"},  {"ra", "⟩"},  {"Fo", "«"},  {"Fc", "»"}, {"ss", "ß"}, {":a", "ä"},  {":o", "ö"},   {":u", "ü"},
      {":A", "Ä"},  {":O", "Ö"},  {":U", "Ü"},  {"'e", "é"}, {"'a", "á"}, {"'i", "í"},  {"'o", "ó"},   {"'u", "ú"},
      {"'E", "É"},  {"`e", "è"},  {"`a", "à"},  {"^e", "ê"}, {"^o", "ô"}, {",c", "ç"},  {"~n", "ñ"},   {"oa", "å"},
      {"/o", "ø"},  {"/O", "Ø"},  {"ae", "æ"},  {"*a", "α"}, {"*b", "β"}, {"*g", "γ"},  {"*d", "δ"},   {"*e", "ε"},
      {"*l", "λ"},  {"*m", "μ"},  {"*p", "π"},  {"*s", "σ"}, {"*S", "Σ"}, {"*D", "Δ"},  {"*W", "Ω"},   {"if", "∞"},
      {"pt", "∝"},  {"sr", "√"},  {"is", "∫"},  {"pd", "∂"}, {"mo", "∈"}, {"no", "¬"},  {"sc", "§"},   {"dg", "†"},
      {"ct", "¢"},  {"Po", "£"},  {"Ye", "¥"},  {"Eu", "€"}, {"12", "½"}, {"14", "¼"},  {"34", "¾"},   {"ff", "ff"},
      {"fi", "fi"}, {"fl", "fl"}, {"Bq", "„"},  {"bq", "‚"}, {"R", "®"},  {"Tm", "™"},  {"L\"", "\""}, {"R\"", "\""},
      {"C`", "\""}, {"C'", "\""}, {"--", "--"}, {"PI", "π"}, {"Lq", "“"}, {"Rq", "”"},  {"Gt", ">"},   {"Lt", "<"},
      {"Le", "≤"},  {"Ge", "≥"},  {"Am", "&"},  {"Ba", "|"}, {"Pi", "π"}, {"Ne", "≠"},  {"hA", "^"},   {"lh", "☜"}};
  return kNames;
}

void append_code_point(std::uint32_t code, std::string& text) {
  if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return;
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
  } else if (code < 0x10000) {
    text += {static_cast<char>(0xE0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3F)),
             static_cast<char>(0x80 | (code & 0x3F))};
  } else {
    text += {static_cast<char>(0xF0 | (code >> 18)), static_cast<char>(0x80 | ((code >> 12) & 0x3F)),
             static_cast<char>(0x80 | ((code >> 6) & 0x3F)), static_cast<char>(0x80 | (code & 0x3F))};
  }
}

void append_named(std::string_view name, std::string& text) {
  if (const auto found = named_characters().find(name); found != named_characters().end()) {
    text += found->second;
  } else if (name.size() >= 5 && name[0] == 'u') {  // \[u2019], \[u0041_0301]
    std::uint32_t code = 0;
    const auto [end, failed] = std::from_chars(name.data() + 1, name.data() + name.size(), code, 16);
    const bool fine = failed == std::errc() && (end == name.data() + name.size() || *end == '_');
    if (fine) append_code_point(code, text);
  }
}

// A cursor over one line.
class EscapeReader {
 public:
  explicit EscapeReader(std::string_view line) : rest_(line) {}

  std::string read(bool& continues) {
    std::string text;
    while (!rest_.empty()) {
      const std::size_t plain = std::min(rest_.find('\\'), rest_.size());
      text += rest_.substr(0, plain);
      rest_.remove_prefix(plain);
      if (rest_.empty()) break;
      rest_.remove_prefix(1);
      if (!escape(text, continues)) break;
    }
    return text;
  }

 private:
  // The next character, of one to four bytes.
  std::string_view character() {
    int n_invalid = 0;
    const int length = rest_.empty() ? 0 : std::max(1, utf8_character(rest_, n_invalid));
    const std::string_view found = rest_.substr(0, static_cast<std::size_t>(length));
    rest_.remove_prefix(found.size());
    return found;
  }

  // The argument of \f \* \n and the like: one character, two behind (, any number in [].
  std::string_view name() {
    const std::string_view first = character();
    if (first == "(") {
      const std::string_view a = character(), b = character();
      return {a.data(), a.size() + b.size()};
    }
    if (first != "[") return first;
    return until("]");
  }

  // The argument of \h'...' and the like, with any character for the quote.
  std::string_view quoted_argument() {
    const std::string_view quote = character();
    return quote.empty() ? quote : until(quote);
  }

  // What lies before the mark; the mark is taken, too.
  std::string_view until(std::string_view mark) {
    const std::size_t length = std::min(rest_.find(mark), rest_.size());
    const std::string_view found = rest_.substr(0, length);
    rest_.remove_prefix(std::min(length + mark.size(), rest_.size()));
    return found;
  }

  // \s: +3, -2, (12, ['n'], '...'.
  void size_argument() {
    while (rest_.starts_with('+') || rest_.starts_with('-')) rest_.remove_prefix(1);
    if (rest_.starts_with('\'')) {
      quoted_argument();
    } else {
      name();
    }
  }

  // One sequence behind its backslash; false where the rest of the line is a comment.
  bool escape(std::string& text, bool& continues) {
    if (rest_.empty()) {
      continues = true;  // a backslash at the end of the line
      return true;
    }
    const char c = rest_.front();
    if (static_cast<unsigned char>(c) >= 0x80) return true;  // the character follows as it is
    rest_.remove_prefix(1);
    switch (c) {
      case '"':
      case '#': return false;
      case 'c': continues = true; return false;
      case '-': text += '-'; break;
      case 'e':
      case 'E':
      case '\\': text += '\\'; break;
      case '\'': text += '\''; break;
      case '`': text += '`'; break;
      case '.': text += '.'; break;
      case ' ':
      case '~':
      case '0': text += ' '; break;
      case 't': text += '\t'; break;
      case '(':
        rest_ = {rest_.data() - 1, rest_.size() + 1};
        append_named(name(), text);
        break;
      case '[':
        rest_ = {rest_.data() - 1, rest_.size() + 1};
        append_named(name(), text);
        break;
      case '*': append_named(name(), text); break;
      case 'f':
      case 'F':
      case 'm':
      case 'M':
      case 'n':
      case 'k':
      case 'g':
      case 'V':
      case 'Y': name(); break;
      case 's': size_argument(); break;
      case 'C': append_named(quoted_argument(), text); break;
      case 'h':
        // A jump to the right is a space to the reader, one to the left is overstriking.
        if (const auto jump = quoted_argument(); !jump.empty() && jump[0] >= '1' && jump[0] <= '9') text += ' ';
        break;
      case 'v':
      case 'w':
      case 'l':
      case 'L':
      case 'D':
      case 'b':
      case 'o':
      case 'x':
      case 'N':
      case 'R':
      case 'S':
      case 'H':
      case 'X':
      case 'A':
      case 'B':
      case 'Z': quoted_argument(); break;
      case '$': name(); break;
      default: break;  // \& \| \^ \% \: \/ \, \) \{ \} \z \u \d \p \a: nothing to be seen
    }
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::string resolve_roff_escapes(std::string_view line, bool& continues) { return EscapeReader(line).read(continues); }

}  // namespace moescope::io
