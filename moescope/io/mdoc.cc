#include "moescope/io/mdoc.h"

#include <map>
#include <set>

#include "moescope/io/roff.h"

namespace moescope::io {
namespace {

// What stands around the rest of the line.
struct Enclosure {
  const char* open;
  const char* close;
};

const std::map<std::string_view, Enclosure>& enclosures() {
  static const std::map<std::string_view, Enclosure> kEnclosures = {{"Op", {"[", "]"}},
                                                                    {"Bq", {"[", "]"}},
                                                                    {"Brq", {"{", "}"}},
                                                                    {"Pq", {"(", ")"}},
                                                                    {"Aq", {"<", ">"}},
                                                                    {"Dq", {"“", "”"}},
                                                                    {"Qq", {"\"", "\""}},
                                                                    {"Sq", {"‘", "’"}},
                                                                    {"Ql", {"‘", "’"}},
                                                                    // Begin and end of an enclosure over several lines.
                                                                    {"Oo", {"[", ""}},
                                                                    {"Oc", {"]", ""}},
                                                                    {"Bo", {"[", ""}},
                                                                    {"Bc", {"]", ""}},
                                                                    {"Po", {"(", ""}},
                                                                    {"Pc", {")", ""}},
                                                                    {"Do", {"“", ""}},
                                                                    {"Dc", {"”", ""}},
                                                                    {"So", {"‘", ""}},
                                                                    {"Sc", {"’", ""}},
                                                                    {"Ao", {"<", ""}},
                                                                    {"Ac", {">", ""}},
                                                                    {"Qo", {"\"", ""}},
                                                                    {"Qc", {"\"", ""}},
                                                                    {"Bro", {"{", ""}},
                                                                    {"Brc", {"}", ""}}};
  return kEnclosures;
}

// Macros whose words stand as they are.
const std::set<std::string_view>& plain_macros() {
  static const std::set<std::string_view> kPlain = {
      "Ar", "Cm", "Pa", "Em", "Sy", "Li", "Va", "Vt", "Ev", "Dv", "Er", "Ic", "An", "Ad", "Ms", "No", "Tn", "Fa", "Ft",
      "Fn", "Fd", "In", "Fo", "Fc", "Lk", "Mt", "Nd", "D1", "Dl", "Rs", "Re", "%A", "%T", "%J", "%D", "%B", "%R", "%N",
      "%V", "%P", "%I", "%O", "%U", "St", "At", "Bx", "Nx", "Fx", "Ox", "Dx", "Ux", "Lb", "Sx", "Cd", "It", "Ta"};
  return kPlain;
}

bool is_closing(std::string_view word) {
  return word == "." || word == "," || word == ";" || word == ":" || word == ")" || word == "]" || word == "?" ||
         word == "!";
}

std::string resolved(std::string_view text) {
  bool ignored = false;
  return resolve_roff_escapes(text, ignored);
}

// Puts words behind each other with a space between, but where punctuation or Ns asks for none.
class Line {
 public:
  void add(std::string_view word) {
    if (word.empty()) return;
    if (!text_.empty() && !glue_ && !is_closing(word)) text_ += ' ';
    text_ += word;
    glue_ = word == "(" || word == "[";
  }
  void open(std::string_view text) {
    add(text);
    glue_ = true;
  }
  void close(std::string_view text) {
    text_ += text;
    glue_ = false;
  }
  void glue() { glue_ = true; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  bool glue_ = false;
};

}  // namespace

bool Mdoc::knows(std::string_view macro) {
  return macro == "Nm" || macro == "Fl" || macro == "Xr" || macro == "Ns" || macro == "Ap" || macro == "Os" ||
         enclosures().contains(macro) || plain_macros().contains(macro);
}

std::string Mdoc::line(const std::string& macro, const std::vector<std::string>& arguments) {
  if (macro == "Os") return "";
  std::vector<std::string> words = {macro};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Line line;
  std::string closing;  // of open enclosures, innermost first
  bool dash = false, option_open = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool last = i + 1 == words.size();
    const auto enclosure = enclosures().find(word);
    if (dash && (Mdoc::knows(word) || is_closing(word))) {  // a bare Fl is "-"
      line.add("-");
      dash = false;
    }
    if (word == "Fl") {
      dash = option_open = true;
      if (last) line.add("-");
    } else if (word == "Nm") {
      option_open = false;
      const bool has_name = !last && !Mdoc::knows(words[i + 1]) && !is_closing(words[i + 1]);
      if (has_name && name_.empty()) name_ = resolved(words[i + 1]);
      if (!has_name) line.add(name_);
    } else if (word == "Xr" && i + 2 < words.size()) {
      line.add(resolved(words[i + 1]) + "(" + resolved(words[i + 2]) + ")");
      i += 2;
    } else if (word == "Ns" || word == "Ap") {
      if (word == "Ap") line.close("'");
      line.glue();
    } else if (enclosure != enclosures().end()) {
      option_open = false;
      const bool ends_one = *enclosure->second.close == '\0' && word.ends_with('c');
      if (ends_one) {
        line.close(enclosure->second.open);
      } else {
        line.open(enclosure->second.open);
        closing = enclosure->second.close + closing;
      }
    } else if (plain_macros().contains(word) && (i == 0 || word != "It")) {
      option_open = false;
    } else if (is_closing(word) && !closing.empty()) {
      bool only_closing = true;  // punctuation at the end of the line stands behind the enclosure
      for (std::size_t k = i; k < words.size(); ++k) only_closing = only_closing && is_closing(words[k]);
      if (only_closing) {
        line.close(closing);
        closing.clear();
      }
      line.add(word);
    } else {
      line.add((dash || (option_open && !is_closing(word)) ? "-" : "") + resolved(word));
      dash = false;
    }
  }
  if (!closing.empty()) line.close(closing);
  return line.take();
}

}  // namespace moescope::io
