#include "moescope/label/predicates/text_state.h"

#include <algorithm>
#include <array>

#include "moescope/label/predicates/characters.h"

namespace moescope::label {

namespace {

constexpr std::size_t kMaxBrackets = 64;    // deeper ones are forgotten from the outside in
constexpr std::size_t kMaxNameLength = 24;  // of commands, words and line beginnings that are remembered
constexpr int kMarksForKind = 2;            // marks of code or LaTeX before the text counts as such

template <std::size_t n>
bool one_of(std::string_view word, const std::array<std::string_view, n>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 31> kCodeLineWords = {
    "def",   "class", "import",  "return", "elif",   "except", "static",  "public",   "private",   "void",    "int",
    "const", "var",   "func",    "fn",     "struct", "using",  "typedef", "template", "namespace", "package", "self",
    "raise", "endif", "include", "define", "esac",   "printf", "assert",  "async",    "yield"};
constexpr std::array<std::string_view, 12> kPreprocessorWords = {
    "include", "define", "if", "ifdef", "ifndef", "endif", "else", "elif", "undef", "pragma", "error", "line"};
constexpr std::array<std::string_view, 14> kMathEnvironments = {
    "equation",  "equation*", "align",     "align*",      "gather", "gather*", "multline",
    "multline*", "eqnarray",  "eqnarray*", "displaymath", "math",   "flalign", "alignat"};
constexpr std::array<std::string_view, 9> kStringPrefixes = {"r", "b", "f", "u", "rb", "br", "fr", "rf", "l"};

char matching_open(char32_t close) { return close == ')' ? '(' : close == ']' ? '[' : '{'; }

}  // namespace

TextState::TextState(bool begins_line) {
  place_.line_known = begins_line;
  place_.after_blank_line = begins_line;
  place_.sentence_start = begins_line;
}

void TextState::advance(char32_t c) {
  const bool letter = is_letter(c);
  if (!letter) end_word(c);
  advance_line(c);
  count_marks(c);
  if (!advance_comment(c) && !advance_string(c)) {
    advance_math(c);
    advance_quotes(c);
    advance_command(c);
    advance_brackets(c);
  }
  if (place_.in_url) {
    const bool ends = is_space(c) || c == '"' || c == '\'' || c == '<' || c == '>' || c == '}' || c == ')' || c == ']';
    place_.in_url = !ends;
  } else if (c == '/' && before_ == '/' && before2_ == ':') {
    place_.in_url = true;
  }
  advance_sentence(c);
  if (letter && place_.word.size() < kMaxNameLength) {
    place_.word += to_utf8(to_lower(c));
    word_exact_ += to_utf8(c);
  }
  if (!is_space(c)) {
    place_.last_mark = c;
    place_.text_start = false;
  }
  place_.space_before = is_space(c);
  place_.in_number = is_digit(c) || ((c == '.' || c == ',') && is_digit(before_));
  before2_ = before_;
  before_ = c;
  ++n_read_;
  refresh();
}

// Called on every character that is not a letter: the unfinished word, if any, is finished.
void TextState::end_word(char32_t) {
  if (place_.word.empty()) return;
  if (comment_ == '#' && comment_fresh_ && one_of(place_.word, kPreprocessorWords)) {
    comment_ = 0;  // "#include" is no comment
    ++n_code_marks_;
  }
  if (place_.line_known && line_first_open_ && one_of(word_exact_, kCodeLineWords) && place_.kind != TextKind::kLatex) {
    ++n_code_marks_;
  }
  comment_fresh_ = false;
  place_.word2 = std::move(place_.word1);
  place_.word1 = std::move(place_.word);
  place_.word.clear();
  word_exact_.clear();
  ++place_.n_sentence_words;
}

void TextState::advance_line(char32_t c) {
  if (c == '\n') {
    place_.after_blank_line = place_.line_blank && place_.line_known;
    if (place_.after_blank_line) {  // a paragraph ends: what should have been closed is given up
      place_.in_quotes = false;
      if (math_ == Math::kDollar) math_ = Math::kNone;
    }
    place_.line_known = true;
    place_.line_blank = true;
    place_.indent = 0;
    place_.line_length = 0;
    place_.line_first.clear();
    line_first_open_ = false;
    return;
  }
  ++place_.line_length;
  if (is_space(c)) {
    if (place_.line_blank) place_.indent += c == '\t' ? 8 : 1;
    line_first_open_ = false;
    return;
  }
  if (place_.line_blank) {
    place_.line_blank = false;
    line_first_open_ = place_.line_known;
    if (line_first_open_) place_.line_first = to_utf8(c);
    return;
  }
  const bool goes_on =
      line_first_open_ && (is_letter(c) || is_digit(c) || c == '_') && place_.line_first.size() < kMaxNameLength;
  if (goes_on) {
    place_.line_first += to_utf8(c);
  } else {
    line_first_open_ = false;
  }
}

void TextState::advance_sentence(char32_t c) {
  if (is_space(c)) {
    if (sentence_ended_ || (c == '\n' && place_.after_blank_line && place_.line_blank)) {
      place_.sentence_start = true;
      place_.n_sentence_words = 0;
    }
    return;
  }
  const bool closing = c == '"' || c == '\'' || c == ')' || c == 0x201D || c == 0x2019;
  if (sentence_ended_ && closing) return;
  sentence_ended_ = c == '.' || c == '!' || c == '?';
  const bool opening = c == '"' || c == '(' || c == 0x201C || c == '`';
  if (!opening && !closing) place_.sentence_start = false;
}

// Marks of code and of LaTeX; the kind of text is the one with more of them.
void TextState::count_marks(char32_t c) {
  if (!comment_ && !string_) {
    const bool code_pair = (before_ == '(' && c == ')') || (before_ == '=' && c == '=') ||
                           (before_ == '!' && c == '=') || (before_ == '-' && c == '>') ||
                           (before_ == ':' && c == ':') || (before_ == ')' && (c == ':' || c == ';')) ||
                           (before_ == ';' && c == '\n' && math_ == Math::kNone);
    const bool in_formula = math_ != Math::kNone || place_.kind == TextKind::kLatex;
    if (code_pair && !in_formula) ++n_code_marks_;
  }
  const bool latex_pair = command_open_ && command_.size() > 1 && c == '{';
  if (latex_pair && !string_) ++n_latex_marks_;
  if (n_latex_marks_ >= kMarksForKind && n_latex_marks_ >= n_code_marks_) {
    place_.kind = TextKind::kLatex;
  } else if (n_code_marks_ >= kMarksForKind) {
    place_.kind = TextKind::kCode;
  }
}

bool TextState::advance_comment(char32_t c) {
  if (comment_) {
    if (comment_ == '*' ? (c == '/' && before_ == '*') : c == '\n') {
      comment_ = 0;
      return true;
    }
    if (comment_fresh_ && !is_letter(c)) comment_fresh_ = false;
    return true;
  }
  if (string_ || before_ == '\\') return false;
  const bool first_in_line = place_.line_length == 1 || place_.line_first == to_utf8(c);
  const bool code = place_.kind == TextKind::kCode, latex = place_.kind == TextKind::kLatex;
  const bool after_space = is_space(before_) || n_read_ == 0;
  if (c == '#' && ((code && after_space) || (!latex && first_in_line && place_.line_known))) comment_ = '#';
  if (c == '%' && (latex || (!code && first_in_line && place_.line_known))) comment_ = '%';
  if (c == '/' && before_ == '/' && before2_ != ':' && !latex) comment_ = '/';
  if (c == '*' && before_ == '/' && !latex) comment_ = '*';
  comment_fresh_ = comment_ == '#';
  return comment_ != 0;
}

bool TextState::advance_string(char32_t c) {
  if (string_) {
    const char32_t quote = static_cast<unsigned char>(string_);
    if (string_escaped_) {
      string_escaped_ = false;
    } else if (c == '\\') {
      string_escaped_ = true;
      string_run_ = 0;
    } else if (c == quote) {
      ++string_run_;
      if (!string_triple_ || string_run_ == 3) {
        if (!string_triple_ && string_length_ == 0) empty_string_end_ = n_read_;
        string_ = 0;
      }
    } else {
      string_run_ = 0;
      if (c == '\n' && !string_triple_ && quote != '`') string_ = 0;  // not closed in its line: given up
    }
    ++string_length_;
    return true;
  }
  if (place_.kind != TextKind::kCode && empty_string_end_ != n_read_ - 1) {
    // Three double quotes at once are a string of code wherever they stand.
    if (!(c == '"' && before_ == '"' && before2_ == '"')) return false;
    place_.in_quotes = false;
  } else if (c != '"' && c != '\'' && c != '`') {
    return false;
  }
  const bool after_name = is_letter(before_) || is_digit(before_) || before_ == '_';
  if (c == '\'' && after_name && !one_of(place_.word1, kStringPrefixes)) return false;
  string_triple_ = before_ == c && before2_ == c;
  string_ = static_cast<char>(c);
  string_run_ = string_length_ = 0;
  string_escaped_ = false;
  return true;
}

void TextState::advance_math(char32_t c) {
  const bool escaped = before_ == '\\' && before2_ != '\\';
  if (c == '$' && !escaped) {
    if (place_.kind == TextKind::kCode && math_ == Math::kNone) return;
    const bool pair = dollar_at_ == n_read_ - 1;
    switch (math_) {
      case Math::kNone: math_ = Math::kDollar; break;
      case Math::kDollar: math_ = pair ? Math::kTwoDollars : Math::kNone; break;
      case Math::kTwoDollars:
        if (pair) {
          math_ = Math::kNone;
          dollar_at_ = -2;
          return;
        }
        break;
      default: return;
    }
    dollar_at_ = math_ == Math::kTwoDollars && pair ? -2 : n_read_;
    if (math_ == Math::kNone) dollar_at_ = -2;
    return;
  }
  // "$5" of prose is money.
  const bool money = math_ == Math::kDollar && dollar_at_ == n_read_ - 1 && place_.kind == TextKind::kProse &&
                     (is_digit(c) || is_space(c));
  if (money) math_ = Math::kNone;
  if (escaped && place_.kind != TextKind::kCode) {
    if (c == '(' && math_ == Math::kNone) math_ = Math::kParenthesis;
    if (c == '[' && math_ == Math::kNone) math_ = Math::kBracket;
    if ((c == ')' && math_ == Math::kParenthesis) || (c == ']' && math_ == Math::kBracket)) math_ = Math::kNone;
  }
}

void TextState::advance_quotes(char32_t c) {
  if (c == 0x201C || (c == '`' && before_ == '`')) {
    place_.in_quotes = true;
  } else if (c == 0x201D || (c == '\'' && before_ == '\'')) {
    place_.in_quotes = false;
  } else if (c == '"' && place_.kind != TextKind::kCode) {
    place_.in_quotes = !place_.in_quotes;
  }
}

void TextState::advance_command(char32_t c) {
  const bool starts = c == '\\' && before_ != '\\' && place_.kind != TextKind::kCode;
  if (starts) {
    command_ = "\\";
    command_open_ = true;
    next_owner_.clear();
    return;
  }
  if (command_open_ && (is_letter(c) || c == '*' || c == '@') && command_.size() < kMaxNameLength) {
    command_ += to_utf8(c);
    next_owner_ = command_;
    return;
  }
  command_open_ = false;
  if (c == '^' || c == '_') {
    next_owner_ = math_ == Math::kNone ? "" : to_utf8(c);
  } else if (c != '{' && c != '[' && c != '}' && c != ']') {
    next_owner_.clear();
  }
}

void TextState::advance_brackets(char32_t c) {
  if (!brackets_.empty() && brackets_.back().open == '{' &&
      (brackets_.back().owner == "\\begin" || brackets_.back().owner == "\\end") && c != '}' &&
      name_in_braces_.size() < kMaxNameLength) {
    name_in_braces_ += to_utf8(c);
  }
  if (c == '(' || c == '[' || c == '{') {
    open_bracket(static_cast<char>(c));
  } else if (c == ')' || c == ']' || c == '}') {
    close_bracket(matching_open(c));
  }
  if (place_.in_tag) {
    if (c == '>' || (c == '\n' && before_ == '\n')) place_.in_tag = false;
  } else if (before_ == '<' && (is_letter(c) || c == '/' || c == '!') && place_.kind != TextKind::kCode &&
             math_ == Math::kNone) {
    place_.in_tag = true;
  }
}

void TextState::open_bracket(char open) {
  if (brackets_.size() == kMaxBrackets) brackets_.erase(brackets_.begin());
  const bool call = open == '(' && (is_letter(before_) || is_digit(before_) || before_ == '_');
  brackets_.push_back({open, call, open == '(' ? "" : next_owner_});
  name_in_braces_.clear();
  next_owner_.clear();
}

void TextState::close_bracket(char open) {
  std::size_t at = brackets_.size();
  while (at > 0 && brackets_[at - 1].open != open) --at;
  if (at == 0) return;  // closes nothing that is open: a list mark "a)", a smiley
  const Bracket closed = brackets_[at - 1];
  brackets_.resize(at - 1);
  next_owner_ = closed.owner.starts_with('\\') ? closed.owner : "";
  if (closed.owner == "\\begin") {
    environments_.push_back(name_in_braces_);
    if (environments_.size() > kMaxBrackets) environments_.erase(environments_.begin());
    if (one_of(name_in_braces_, kMathEnvironments)) math_ = Math::kEnvironment;
    next_owner_.clear();
  } else if (closed.owner == "\\end") {
    const auto found = std::find(environments_.rbegin(), environments_.rend(), name_in_braces_);
    if (found != environments_.rend()) environments_.erase(std::next(found).base(), environments_.end());
    if (math_ == Math::kEnvironment && one_of(name_in_braces_, kMathEnvironments)) math_ = Math::kNone;
    next_owner_.clear();
  }
}

void TextState::refresh() {
  place_.in_comment = comment_ != 0;
  place_.in_string = string_ != 0;
  place_.in_math = math_ != Math::kNone;
  place_.in_display_math = place_.in_math && math_ != Math::kDollar && math_ != Math::kParenthesis;
  place_.depth = static_cast<int>(brackets_.size());
  place_.bracket = brackets_.empty() ? static_cast<char>(0) : brackets_.back().open;
  place_.in_call = !brackets_.empty() && brackets_.back().call;
  if (brackets_.empty() || brackets_.back().open != '{') {
    place_.argument.clear();
  } else if (place_.argument != brackets_.back().owner) {
    place_.argument = brackets_.back().owner;
  }
  if (environments_.empty()) {
    place_.environment.clear();
  } else if (place_.environment != environments_.back()) {
    place_.environment = environments_.back();
  }
}

}  // namespace moescope::label
