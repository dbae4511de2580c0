#include "moescope/io/roff.h"

#include <algorithm>
#include <set>
#include <vector>

#include "moescope/io/mdoc.h"

namespace moescope::io {
namespace {

constexpr std::size_t kColumns = 78;

// Characters, not bytes: what counts for the width of a line.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Collects words into filled paragraphs and lines that stay as they are.
class Page {
 public:
  void word(std::string_view text, bool joins) {
    if (column_ > 0 && !joins) {
      if (column_ + 1 + width_of(text) > kColumns) {
        end_line();
      } else {
        put(" ");
      }
    }
    put(text);
  }

  void filled(std::string_view text, bool continues) {
    bool joins = joins_next_;
    for (std::size_t begin = 0; (begin = text.find_first_not_of(" \t", begin)) != std::string_view::npos;) {
      const std::size_t end = std::min(text.find_first_of(" \t", begin), text.size());
      word(text.substr(begin, end - begin), joins);
      joins = false;
      begin = end;
    }
    joins_next_ = continues;
  }

  void whole_line(std::string_view text) {
    put(text);
    end_line();
    joins_next_ = false;
  }

  void end_line() {
    if (column_ == 0) return;
    while (text_.ends_with(' ')) text_.pop_back();
    text_ += '\n';
    column_ = 0;
  }

  void end_paragraph() {
    end_line();
    joins_next_ = false;
    if (!text_.empty() && !text_.ends_with("\n\n")) text_ += '\n';
  }

  // The last line ended, blank lines at the end gone.
  std::string finish() {
    end_line();
    while (text_.ends_with("\n\n")) text_.pop_back();
    return std::move(text_);
  }

 private:
  void put(std::string_view text) {
    text_ += text;
    column_ += width_of(text);
  }

  std::string text_;
  std::size_t column_ = 0;
  bool joins_next_ = false;
};

// The words of a macro line: blanks between them, "..." around one with blanks, "" inside for a quote.
std::vector<std::string> arguments_of(std::string_view line) {
  std::vector<std::string> arguments;
  std::size_t i = 0;
  while ((i = line.find_first_not_of(" \t", i)) != std::string_view::npos) {
    if (line.substr(i, 2) == "\\\"") break;
    std::string argument;
    if (line[i] == '"') {
      for (++i; i < line.size(); ++i) {
        if (line[i] == '"') {
          if (i + 1 >= line.size() || line[i + 1] != '"') break;
          ++i;
        }
        argument += line[i];
      }
      ++i;
    } else {
      while (i < line.size() && line[i] != ' ' && line[i] != '\t') {
        if (line[i] == '\\' && i + 1 < line.size()) argument += line[i++];  // "\ " is no end
        argument += line[i++];
      }
    }
    arguments.push_back(std::move(argument));
    if (i >= line.size()) break;
  }
  return arguments;
}

std::string resolved(std::string_view text) {
  bool ignored = false;
  return resolve_roff_escapes(text, ignored);
}

class Converter {
 public:
  std::string convert(std::string_view source) {
    while (!source.empty()) {
      const std::size_t end = source.find('\n');
      std::string_view line = source.substr(0, end);
      source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      take(line);
    }
    return page_.finish();
  }

 private:
  void take(std::string_view line) {
    if (!skip_until_.empty()) {  // inside a definition, an ignored block or a picture
      if (line.starts_with(skip_until_)) skip_until_.clear();
      return;
    }
    if (skipped_depth_ > 0) {  // inside a block whose condition is false
      skipped_depth_ += depth_of(line);
      return;
    }
    const bool is_macro = !line.empty() && (line[0] == '.' || line[0] == '\'');
    if (is_macro && !(in_table_format_ && line.size() == 1)) {
      macro(line.substr(1));
    } else if (in_table_format_) {
      if (line.ends_with('.')) in_table_format_ = false;
    } else if (in_table_) {
      table_line(line);
    } else {
      text_line(line);
    }
  }

  static int depth_of(std::string_view line) {
    int depth = 0;
    for (std::size_t i = 0; i + 1 < line.size(); ++i) {
      if (line[i] != '\\') continue;
      if (line[i + 1] == '{') ++depth;
      if (line[i + 1] == '}') --depth;
      ++i;
    }
    return depth;
  }

  void text_line(std::string_view line) {
    if (line.find_first_not_of(" \t") == std::string_view::npos && !no_fill_) {
      page_.end_paragraph();
      return;
    }
    bool continues = false;
    const std::string text = resolve_roff_escapes(line, continues);
    if (no_fill_ && tag_is_next_ == false) {
      page_.whole_line(text);
      return;
    }
    // A line that begins with a blank begins a new line on the page, too.
    if (line.starts_with(' ') || line.starts_with('\t')) page_.end_line();
    page_.filled(text, continues);
    end_of_text();
  }

  // What waited for one line of text: the heading of .SH, the tag of .TP.
  void end_of_text() {
    if (heading_is_next_) page_.end_line();
    if (tag_is_next_) page_.end_line();
    heading_is_next_ = tag_is_next_ = false;
  }

  void table_line(std::string_view line) {
    if (line == "T{" || line.empty()) return;
    std::string text = resolved(line);
    for (const char* mark : {"T}", "T{"}) {
      for (std::size_t at; (at = text.find(mark)) != std::string::npos;) text.replace(at, 2, "");
    }
    std::replace(text.begin(), text.end(), '\t', ' ');
    if (text.find_first_not_of(" _=") != std::string::npos) page_.whole_line(text);
  }

  void macro(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || line.starts_with("\\\"") || line.starts_with("\\#") || line.starts_with("\\}")) return;
    const std::size_t end = std::min(line.find_first_of(" \t\\"), line.size());
    const std::string name(line.substr(0, end));
    const std::string_view rest = line.substr(end);
    if (name == "if" || name == "ie" || name == "el" || name == "while") {
      condition(name, rest);
    } else if (name == "de" || name == "de1" || name == "am" || name == "ig") {
      const auto arguments = arguments_of(rest);
      const std::size_t end_name = name == "ig" ? 0 : 1;
      skip_until_ = arguments.size() > end_name ? "." + arguments[end_name] : "..";
    } else if (name == "EQ") {
      skip_until_ = ".EN";
    } else if (name == "PS") {
      skip_until_ = ".PE";
    } else if (name == "TS") {
      page_.end_paragraph();
      in_table_ = in_table_format_ = true;
    } else if (name == "TE") {
      in_table_ = in_table_format_ = false;
      page_.end_paragraph();
    } else if (in_table_) {
      if (name == "T&") in_table_format_ = true;
    } else {
      layout(name, rest);
    }
  }

  // .if CONDITION ANYTHING, .ie ... .el ...: n (a terminal) holds, t (a typesetter) and all that needs registers do
  // not.
  void condition(const std::string& name, std::string_view rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    bool holds = name == "el" && !last_condition_;
    if (name != "el") {
      const bool negated = rest.starts_with('!');
      if (negated) rest.remove_prefix(1);
      const bool is_word = rest.size() < 2 || rest[1] == ' ' || rest[1] == '\t' || rest[1] == '\\';
      holds = is_word && (rest.starts_with('n') || rest.starts_with('o')) != negated && name != "while";
      const std::size_t end = rest.find_first_of(" \t");
      rest.remove_prefix(std::min(end == std::string_view::npos ? rest.size() : end, rest.size()));
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
      if (name == "ie") last_condition_ = holds;
    }
    if (!holds) {
      skipped_depth_ = std::max(0, depth_of(rest));
      return;
    }
    if (rest.starts_with("\\{")) rest.remove_prefix(2);
    if (rest == "\\") rest = {};
    if (++condition_depth_ < 32 && !rest.empty()) take(rest);
    --condition_depth_;
  }

  void layout(const std::string& name, std::string_view rest) {
    static const std::set<std::string, std::less<>> kParagraph = {"PP", "P",  "LP", "HP", "sp", "Pp", "RS", "RE",
                                                                  "bp", "Bl", "El", "Bd", "Ed", "SY", "YS", "ns"};
    const auto arguments = [&] {
      std::vector<std::string> all = arguments_of(rest);
      for (std::string& argument : all) argument = resolved(argument);
      return all;
    };
    if (name == "SH" || name == "SS" || name == "Sh" || name == "Ss") {
      heading(join(arguments(), " "));
    } else if (name == "TH" || name == "Dt") {
      const auto all = arguments();
      if (!all.empty()) page_.whole_line(all.size() > 1 ? all[0] + "(" + all[1] + ")" : all[0]);
    } else if (name == "nf" || name == "EX" || name == "Vb") {
      page_.end_line();
      no_fill_ = true;
    } else if (name == "fi" || name == "EE" || name == "Ve") {
      page_.end_line();
      no_fill_ = false;
    } else if (kParagraph.contains(name)) {
      if (name == "Bd")
        no_fill_ = rest.find("-literal") != std::string_view::npos || rest.find("-unf") != std::string_view::npos;
      if (name == "Ed") no_fill_ = false;
      page_.end_paragraph();
    } else if (name == "br") {
      page_.end_line();
    } else if (name == "TP" || name == "TQ") {
      if (name == "TP") page_.end_paragraph();
      page_.end_line();
      tag_is_next_ = true;
    } else if (name == "IP") {
      page_.end_paragraph();
      const auto all = arguments();
      if (!all.empty() && !all[0].empty()) page_.filled(all[0], false);
    } else {
      words(name, rest, arguments);
    }
  }

  template <typename Arguments>
  void words(const std::string& name, std::string_view rest, const Arguments& arguments) {
    static const std::set<std::string, std::less<>> kOneFont = {"B", "I", "SM", "SB", "R", "CW", "UR", "MT", "OP", "Q"};
    static const std::set<std::string, std::less<>> kTwoFonts = {"BR", "RB", "IR", "RI", "BI", "IB", "CR", "RC"};
    bool continues = rest.ends_with("\\c");
    std::string text;
    if (kOneFont.contains(name)) {
      text = join(arguments(), " ");
      if (text.empty()) return;  // the next line is in this font
      if (name == "OP") text = "[" + text + "]";
    } else if (kTwoFonts.contains(name)) {
      text = join(arguments(), "");
    } else if (name == "MR") {
      const auto all = arguments();
      if (all.size() > 1) text = all[0] + "(" + all[1] + ")" + (all.size() > 2 ? all[2] : "");
    } else if (name == "It") {
      page_.end_paragraph();
      text = mdoc_.line("It", arguments_of(rest));
      page_.filled(text, false);
      page_.end_line();
      return;
    } else if (Mdoc::knows(name)) {
      text = mdoc_.line(name, arguments_of(rest));
    } else {
      return;  // requests without text, and macros that only this page knows
    }
    if (no_fill_ && !tag_is_next_) {
      if (!text.empty()) page_.whole_line(text);
      return;
    }
    page_.filled(text, continues);
    end_of_text();
  }

  void heading(const std::string& text) {
    no_fill_ = false;
    page_.end_paragraph();
    if (text.empty()) {
      heading_is_next_ = true;
    } else {
      page_.whole_line(text);
    }
  }

  static std::string join(const std::vector<std::string>& parts, const char* between) {
    std::string all;
    for (std::size_t i = 0; i < parts.size(); ++i) all += (i > 0 ? between : "") + parts[i];
    return all;
  }

  Page page_;
  Mdoc mdoc_;
  std::string skip_until_;
  int skipped_depth_ = 0, condition_depth_ = 0;
  bool last_condition_ = false;
  bool no_fill_ = false, heading_is_next_ = false, tag_is_next_ = false;
  bool in_table_ = false, in_table_format_ = false;
};

}  // namespace

std::string roff_to_text(std::string_view source) { return Converter().convert(source); }

}  // namespace moescope::io
